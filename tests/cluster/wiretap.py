"""Counter of packets that hold a marker, on the cable of a host.

Run as a program in the network of the hosts: ``wiretap.py DEVICE MARKER``. It ends with the input
that it reads, and prints the number of all packets and of those with the marker.
"""

import selectors
import socket
import sys

ALL_PROTOCOLS = 3


def main() -> None:
    device, marker = sys.argv[1], sys.argv[2].encode()
    packets = found = 0
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(ALL_PROTOCOLS)) as cable,
        selectors.DefaultSelector() as ready,
    ):
        cable.bind((device, 0))
        for source in (cable, sys.stdin):
            ready.register(source, selectors.EVENT_READ)
        while True:
            sources = [key.fileobj for key, _ in ready.select()]
            if cable in sources:
                packets += 1
                found += marker in cable.recv(65536)
            elif sys.stdin in sources:
                break
    print(packets, found)


if __name__ == "__main__":
    main()
