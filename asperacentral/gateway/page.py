"""The page that a person sees who opens the gateway's address in a browser: the connection works.

Where the server's certificate is not one that browsers trust, opening it once lets a person make an exception, after
which pages of a web application can reach the gateway, too.
"""

from __future__ import annotations

from asperacentral.gateway.http import Answer

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connected to the gateway</title>
<style>
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif }
main { max-width: 36rem; margin: 15vh auto 0; padding: 0 1rem }
</style>
</head>
<body>
<main>
<h1>Connected to the gateway</h1>
<p>Your browser reaches the HTTP Gateway of this server.</p>
<p>You can close this page and return to where you came from: files can now be sent and received over HTTP, without a
plug-in.</p>
</main>
</body>
</html>
"""

CONNECTED = Answer(
    200,
    _PAGE.encode(),
    b"text/html; charset=utf-8",
    {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
)
