"""Developer tools: demonstration, soak, benchmark, mutants, screenshots, and the test harness."""
