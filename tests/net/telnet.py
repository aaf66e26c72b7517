"""The telnet program of the distribution, on a terminal of its own, with the interface of lns.Cli.

    cli = telnet(ns, "127.0.0.1")
    cli.prompt()
    cli.run("show version")
"""

import os
import pty
import select
import socket
import subprocess
import termios

from lns import Cli


class Terminal:
    """A pseudo terminal with a program on it, as much of a socket as Cli needs."""

    def __init__(self, ns, *argv):
        self.fd, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO  # the server echoes; until it says so the terminal would
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.timeout = 15
        with ns:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *argv], stdin=slave, stdout=slave,
                                            stderr=slave, env=dict(os.environ, TERM="dumb"), start_new_session=True)
        os.close(slave)

    def settimeout(self, seconds):
        self.timeout = seconds

    def recv(self, size):
        if not select.select([self.fd], [], [], self.timeout)[0]:
            raise socket.timeout
        try:
            return os.read(self.fd, size)
        except OSError:  # the program has ended
            return b""

    def sendall(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def close(self):
        os.close(self.fd)
        self.process.kill()
        self.process.wait()


class Telnet(Cli):
    """A connection by the telnet program."""

    def send(self, line):
        self.sock.sendall(line.encode() + b"\r")


def telnet(ns, address="127.0.0.1", port=23):
    """Connects. What the program itself says comes in front of the first prompt."""
    return Telnet(Terminal(ns, "telnet", address, str(port)))
