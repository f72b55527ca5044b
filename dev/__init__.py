"""What developers run: demonstration, soak, benchmark, mutants, screenshots, the tests' harness."""
