# SPDX-License-Identifier: Apache-2.0
"""A mail server of the test's own (Debian's python3-aiosmtpd), on a free port of 127.0.0.1, in a thread.

    with Sink(tls='starttls', pair=(cert, key), login=('u', 'p')) as sink:
        ...                                        # sink.port
        sink.mails                                 # Mail: sender, recipients, tls, login, message (email.message)

A recipient whose name begins with "reject" gets 550, with "defer" 451. sink.greylist: the first so many recipients of all are
deferred. sink.final: what is answered to a text instead of 250; 'cut' keeps the mail and closes the connection instead.
"""
import email
import email.policy
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from freeport import free_port


class Mail:
    def __init__(self, session, envelope):
        self.sender, self.recipients = envelope.mail_from, list(envelope.rcpt_tos)
        self.tls, self.login, self.helo = session.ssl is not None, bool(session.authenticated), session.host_name
        self.bytes = envelope.original_content
        self.message = email.message_from_bytes(self.bytes, policy=email.policy.default)

    def part(self, subtype):
        return self.message.get_body((subtype,)).get_content().replace('\r\n', '\n')


class Handler:
    def __init__(self, sink):
        self.sink = sink

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        self.sink.asked.append(address)
        if address.startswith('reject'):
            return '550 5.1.1 no such user'
        if address.startswith('defer') or self.sink.greylist > 0:
            self.sink.greylist -= not address.startswith('defer')
            return '451 4.7.1 try later'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        final = self.sink.final
        if final and final != 'cut':
            return final
        self.sink.mails.append(Mail(session, envelope))
        if final == 'cut':
            server.transport.abort()
        return '250 stored'


class Implicit(Controller):
    """TLS from the first byte; aiosmtpd then does not tell the session of it."""
    def factory(self):
        return SMTP(self.handler, **self.SMTP_kwargs)


class Sink:
    def __init__(self, tls=None, pair=None, login=None, port=None):
        self.mails, self.asked, self.logins = [], [], []
        self.greylist, self.final = 0, None
        context = None
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
        options = {}
        if tls == 'starttls':
            options.update(tls_context=context, require_starttls=True)
        if login:
            options.update(authenticator=self.authenticator(login), auth_required=True, auth_require_tls=tls == 'starttls')
        self.port = port = port or free_port()
        kind = Implicit if tls == 'implicit' else Controller
        self.controller = kind(Handler(self), hostname='127.0.0.1', port=port,
                               ssl_context=context if tls == 'implicit' else None, ready_timeout=120, **options)

    def authenticator(self, login):
        def check(_server, _session, _envelope, mechanism, data):
            self.logins.append(mechanism)
            return AuthResult(success=(data.login, data.password) == tuple(x.encode() for x in login), handled=False)
        return check

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()
