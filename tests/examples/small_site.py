# SPDX-License-Identifier: BSL-1.0
"""A web site of a few pages, for what crawls; and where the built examples are."""

import contextlib
import http.server
import os
import subprocess
import threading

SOURCE = os.environ["TENDRIL_TEST_SOURCE_DIR"]
BUILD = os.environ["TENDRIL_TEST_BUILD_DIR"]

PAGES = {
    "/": '<a href="a/one.html">one</a> <A HREF="./two.html#part">two</A> <a href="https://elsewhere.test/">',
    "/a/one.html": "<a href='../two.html'> <a href=\"/\"> <a href='mailto:nobody@site.test'>",
    "/two.html": '<a href="a/../three.html?x=1"> <a href="//elsewhere.test/">',
    "/three.html?x=1": "the last one",
    "/broken": '<a href="/missing">',
    "/odd": '<a href="/missing?a&b=<é">',
}
MOVED = {"/old": "/three.html?x=1", "/away": "https://elsewhere.test/"}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        moved = MOVED.get(self.path)
        body = PAGES.get(self.path, "").encode()
        self.send_response(302 if moved else 200 if body else 404)
        if moved:
            self.send_header("Location", moved)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    """The site's address, without a slash at its end."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "http://127.0.0.1:%d" % server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def places(name):
    """CMake puts executables into bin, Meson beside their sources' images."""
    return [os.path.join(BUILD, folder, name) for folder in ("bin", "examples")]


def is_built(name):
    return any(map(os.path.exists, places(name)))


def example(name):
    for path in filter(os.path.exists, places(name)):
        return path
    raise FileNotFoundError(f"{name} is not built in {BUILD}")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)
