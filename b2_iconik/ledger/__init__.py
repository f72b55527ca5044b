"""Every table and query: operations, claims, copies, precedence, migrations, and encryption.

It may import the domain. It makes no request.
"""
