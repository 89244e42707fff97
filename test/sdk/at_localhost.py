"""Runs a program on a machine whose resolver does not know that names below localhost are its own (RFC 6761).

    python at_localhost.py PROGRAM ARGUMENTS...
"""

import os
import runpy
import socket
import sys

resolve = socket.getaddrinfo


def resolve_localhost(host, *args, **kwargs):
    return resolve('127.0.0.1' if str(host).endswith('.localhost') else host, *args, **kwargs)


socket.getaddrinfo = resolve_localhost
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
