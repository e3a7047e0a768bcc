"""Counter of packets that hold a marker, on the cable of a host.

Run as a program in the network of the hosts: ``wiretap.py DEVICE SECONDS MARKER``; prints the
number of all packets and of those with the marker.
"""

import socket
import sys
import time

ALL_PROTOCOLS = 3


def main() -> None:
    device, seconds, marker = sys.argv[1], float(sys.argv[2]), sys.argv[3].encode()
    packets = found = 0
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(ALL_PROTOCOLS)) as cable:
        cable.bind((device, 0))
        cable.settimeout(0.5)
        while time.monotonic() < end:
            try:
                packet = cable.recv(65536)
            except TimeoutError:
                continue
            packets += 1
            found += marker in packet
    print(packets, found)


if __name__ == "__main__":
    main()
