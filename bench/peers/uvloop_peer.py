# SPDX-License-Identifier: BSL-1.0
"""uvloop beside us: what asyncio_peer.py does, on its loop."""
import asyncio_peer
import uvloop

if __name__ == "__main__":
    uvloop.install()
    asyncio_peer.main()
