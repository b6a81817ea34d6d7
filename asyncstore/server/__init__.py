"""The HTTP interface: Qdrant's REST contract on an open store.

::

    app          the ASGI application: a table of endpoints, and what every request goes through
    endpoint     one endpoint: method, path, body, answer
    paths        paths, as endpoints are compared with them
    parameters   what stands behind the question mark
    bodies       what requests carry, as structs
    nesting      how deeply bodies are nested
    results      what replies carry, as far as it is no model
    replies      results as JSON
    values       what of a body is decoded late
    counters     how many requests there were and how long they took
    metrics      what Prometheus collects, in the text format of exposition
    log          what is logged, as text or as JSON
    recovery     what answers while the store is being opened
    openapi      all that as a document, with schemas by json_schema
    failures     errors as status codes and texts
    upload       a file from a multipart body
    files        a file as a reply, and replies to what is done behind them
    listener     the application on a socket, each connection of which is a protocol
    tls          the files of HTTPS
    outflow      how replies leave, also when nobody reads them
    routes       the endpoints by subject
"""

from asyncstore.server.app import create_app

__all__ = ["create_app"]
