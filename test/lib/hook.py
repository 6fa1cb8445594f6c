# SPDX-License-Identifier: Apache-2.0
"""Whom a daemon tells by HTTP: Hook.heard is all that came, as JSON; Hook.port() is where."""
import http.server
import json
import threading


class Hook(http.server.BaseHTTPRequestHandler):
    server, heard = None, []

    def do_POST(self):
        Hook.heard.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

    @classmethod
    def port(cls):
        if not cls.server:
            cls.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), cls)
            threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        return cls.server.server_port
