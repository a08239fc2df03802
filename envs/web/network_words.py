"""What Chromium's names of network errors mean, in plain words."""

import re

WORDS = {
    "ABORTED": "the page, or the browser, gave the address up",
    "ACCESS_DENIED": "access was denied",
    "ADDRESS_UNREACHABLE": "there is no way to that address from here",
    "BLOCKED_BY_ADMINISTRATOR": "this browser's rules forbid the address",
    "BLOCKED_BY_CLIENT": "the browser, or an extension of it, blocked the address",
    "BLOCKED_BY_RESPONSE": "the site forbids showing it here",
    "CERT_AUTHORITY_INVALID": "the site's certificate comes from nobody that the browser trusts",
    "CERT_COMMON_NAME_INVALID": "the site's certificate was made for another name",
    "CERT_DATE_INVALID": "the site's certificate has expired, or this clock is wrong",
    "CERT_REVOKED": "the site's certificate was withdrawn",
    "CONNECTION_ABORTED": "the connection was cut off",
    "CONNECTION_CLOSED": "the server closed the connection without an answer",
    "CONNECTION_FAILED": "no connection came about",
    "CONNECTION_REFUSED": "no server takes connections at that address and port",
    "CONNECTION_RESET": "the server, or something on the way, cut the connection off",
    "CONNECTION_TIMED_OUT": "the server does not answer",
    "CONTENT_DECODING_FAILED": "the server's answer is damaged",
    "EMPTY_RESPONSE": "the server closed the connection without an answer",
    "FAILED": "it failed, and the browser does not say why",
    "FILE_NOT_FOUND": "there is no such file",
    "HTTP2_PROTOCOL_ERROR": "the server's answer breaks the rules of HTTP",
    "HTTP_RESPONSE_CODE_FAILURE": "the server answered with an error and an empty page",
    "INTERNET_DISCONNECTED": "there is no network",
    "INVALID_AUTH_CREDENTIALS": "the site asks for a user name and a password that are right",
    "INVALID_RESPONSE": "the server's answer makes no sense",
    "INVALID_URL": "that is no address",
    "NAME_NOT_RESOLVED": "there is no host of that name",
    "NETWORK_CHANGED": "the network changed meanwhile; trying again may help",
    "NETWORK_IO_SUSPENDED": "the computer was asleep",
    "PROXY_CONNECTION_FAILED": "the proxy does not answer",
    "SSL_PROTOCOL_ERROR": "the server does not speak HTTPS as it should",
    "SSL_VERSION_OR_CIPHER_MISMATCH": "server and browser share no way of encryption",
    "TIMED_OUT": "the server does not answer",
    "TOO_MANY_REDIRECTS": "the site sends the browser round in a circle",
    "TUNNEL_CONNECTION_FAILED": "the proxy does not let this address through",
    "UNKNOWN_URL_SCHEME": "the browser knows no such kind of address",
    "UNSAFE_PORT": "browsers do not open that port",
}

_NAME = re.compile(r"net::ERR_([A-Z0-9_]+)")
_HOW_TO_SIGN_IN = (
    "; sign in by the address itself: http://USER:PASSWORD@HOST/ (or https), if you know them"
)


def in_plain_words(reason: str) -> str:
    """Put plain words beside the name of a network error; other text comes back as it is.

    Example:
        >>> in_plain_words("net::ERR_NAME_NOT_RESOLVED")
        'net::ERR_NAME_NOT_RESOLVED (there is no host of that name)'
    """
    found = _NAME.search(reason)
    if found is None:
        return reason
    name = found[1]
    words = WORDS.get(name) or _kind_of(name)
    shown = f"{found[0]} ({words})" if words else found[0]
    return shown + (_HOW_TO_SIGN_IN if name == "INVALID_AUTH_CREDENTIALS" else "")


def _kind_of(name: str) -> str:
    """Say what family an error without words of its own belongs to."""
    families = {
        "CERT_": "the site's certificate is not right",
        "SSL_": "the encrypted connection failed",
        "PROXY_": "the proxy failed",
        "DNS_": "the name of the host could not be looked up",
        "HTTP2_": "the server's answer breaks the rules of HTTP",
        "QUIC_": "the connection failed",
        "BLOCKED_": "the address is blocked",
        "CONNECTION_": "the connection failed",
        "INVALID_": "the address or the answer is not as it should be",
    }
    return next((words for start, words in families.items() if name.startswith(start)), "")
