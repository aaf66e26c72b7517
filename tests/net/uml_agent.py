"""The agent inside the user-mode Linux: runs a shell command for each connection to TCP port 4000.

A request is the command's text, ended by shutting down the sending side. The answer is its output (both streams), then
a zero byte and the exit code in decimal. As process 1 it also reaps what is orphaned.
"""

import os
import signal
import socket
import subprocess
import threading


def serve(sock):
    with sock, sock.makefile("rb") as f:
        command = f.read().decode()
        process = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        output = process.communicate()[0]
        sock.sendall(output + b"\0%d" % process.returncode)


def reap(*_):
    """Collect orphans only: those that run in a group or session of their own."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                state, parent, group = f.read().rsplit(")", 1)[1].split()[:3]
            if state == "Z" and parent == "1" and group != "0":
                os.waitpid(int(entry), os.WNOHANG)
        except OSError:
            pass


def main():
    listener = socket.create_server(("", 4000), backlog=64)
    print("agent is up", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    main()
