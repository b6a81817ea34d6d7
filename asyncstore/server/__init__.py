"""The HTTP interface: Qdrant's REST contract on an open store.

::

    app          the ASGI application: a table of endpoints, and what every request goes through
    endpoint     one endpoint: method, path, body, answer
    bodies       what requests carry, as structs
    replies      results as JSON
    failures     errors as status codes and texts
    upload       a file from a multipart body
    listener     the application on a socket
    routes       the endpoints by subject
"""

from asyncstore.server.app import create_app

__all__ = ["create_app"]
