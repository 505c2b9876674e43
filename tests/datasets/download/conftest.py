"""The local server of the tests of the download."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from datasets.download.local_server import Handler


@pytest.fixture
def server():
    """A server of the pages in `server.pages`; `server.asked` tells what was asked for."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.pages, made.asked = {}, []
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()
