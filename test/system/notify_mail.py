#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=300
"""Mail against a real server: TLS and logins, each recipient's fate told apart, hostile subjects, a server that fails late."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import certificate
from scenario import BACKSTAY, WORK, equal, fact, finish, run
from smtpsink import Sink

DRIVER = os.path.dirname(BACKSTAY) + '/../test/unit/test-net-smtp-driver'
FROM = 'backstay@example.org'
TRANSIENT, NOT_FOUND, DENIED, UNREACHABLE, AUTH, USAGE = 1, 2, 5, 15, 16, 8


def send(port, *to, tls='plain', ca='-', user='-', password=None, subject='backup failed', host='127.0.0.1', ms=60000):
    env = {**os.environ, 'SMTP_MS': str(ms)}
    if password is not None:
        env['SMTP_PASSWORD'] = password
    done = run(DRIVER, host, str(port), tls, ca, user, FROM, *to, input=subject.encode('utf-8', 'surrogateescape'), env=env)
    return done.text.strip()


def code(told):
    return int(told.split()[1]) if told.startswith('error') else 0


def headers():
    with Sink() as sink:
        equal(send(sink.port, 'ops@example.org', subject='nächtlich: 3 Fehler\nzweite Zeile'), 'delivered', 'a mail is delivered')
        mail = sink.mails[0]
    message = mail.message
    equal((mail.sender, mail.recipients, mail.helo), (FROM, ['ops@example.org'], 'driver.test'), 'with its envelope')
    equal(message['Subject'], 'nächtlich: 3 Fehler zweite Zeile', 'a subject is one line of UTF-8')
    equal((message['Message-ID'], message['Auto-Submitted'], message['List-Id'], message['X-Backstay-Event']),
          ('<0193-driver@example.org>', 'auto-generated', '<backstay.example.org>', 'test'), 'the headers for programs')
    equal(message['Date'].datetime.timestamp(), 1700000000, 'the date')
    equal((mail.part('plain'), mail.part('html').strip()), ('nächtlich: 3 Fehler\nzweite Zeile\n', '<p>ä</p>'), 'both texts')
    fact(not message.defects and not any(p.defects for p in message.walk()), 'and another reader finds nothing wrong with it')


def hostile_texts():
    """What stands in a name may end no header, no text and no conversation."""
    texts = ['x\r\nBcc: all@example.org\r\n\r\nbody', '.\r\nRSET\r\nMAIL FROM:<evil@example.org>\r\n', '\r\n.\r\nQUIT\r\n',
             '..', 'x' * 20000, '\udcff\udcfe', '--=_0193-driver--\n']
    with Sink() as sink:
        for text in texts:
            equal(send(sink.port, 'ops@example.org', subject=text), 'delivered', 'delivered: %.30r' % text)
            mail = sink.mails[-1]
            wanted = text.encode('utf-8', 'surrogateescape').decode(errors='replace').replace('\r\n', '\n')
            equal(mail.part('plain'), wanted if wanted.endswith('\n') else wanted + '\n', 'its text comes out as it went in')
            equal((mail.message['Bcc'], len(mail.recipients)), (None, 1), 'and it is one mail to one')
        equal(len(sink.mails), len(texts), 'as many mails as were sent')
    equal(code(send(1, 'ops@example.org>\r\nDATA')), USAGE, 'an address with a line end is refused before anything is sent')


def recipients():
    with Sink() as sink:
        told = send(sink.port, 'a@example.org', 'reject@example.org', 'defer@example.org', 'b@example.org')
        equal([line.split()[0] for line in told.splitlines()], ['delivered', 'refused', 'later', 'delivered'], 'each recipient has its own answer')
        fact('550 5.1.1 no such user' in told and '451 4.7.1 try later' in told, 'in the words of the server', told)
        equal(sink.mails[0].recipients, ['a@example.org', 'b@example.org'], 'the others have the mail')
        equal(code(send(sink.port, 'reject@example.org', 'reject2@example.org')), NOT_FOUND, 'all refused for good')
        equal(code(send(sink.port, 'reject@example.org', 'defer@example.org')), TRANSIENT, 'one of them only for now')
        equal(len(sink.mails), 1, 'and no text was sent to nobody')
        for final, want in [('451 disk full', TRANSIENT), ('554 looks like spam', DENIED)]:
            sink.final = final
            told = send(sink.port, 'a@example.org')
            fact(code(told) == want and final in told, 'a text answered by %s' % final, told)
        sink.final = 'cut'
        equal(code(send(sink.port, 'a@example.org')), TRANSIENT, 'no answer to a text: nobody knows, so it is sent again')


def security():
    pair = certificate.make(WORK, 'mail', 'IP:127.0.0.1')
    other = certificate.make(WORK, 'other', 'DNS:mail.example.org')
    for tls in 'starttls', 'implicit':
        with Sink(tls=tls, pair=pair, login=('u', 'p w') if tls == 'starttls' else None) as sink:
            login = {'user': 'u', 'password': 'p w'} if tls == 'starttls' else {}
            equal(send(sink.port, 'a@example.org', tls=tls, ca=pair[0], **login), 'delivered', tls)
            equal(sink.mails[0].login, bool(login), 'after a login' if login else 'without one')
            equal(code(send(sink.port, 'a@example.org', tls=tls, **login)), UNREACHABLE, tls + ': an authority nobody knows')
            if login:
                fact(sink.mails[0].tls, 'over TLS')
                wrong = {**login, 'password': 'not it'}
                told = send(sink.port, 'a@example.org', tls=tls, ca=pair[0], **wrong)
                fact(code(told) == AUTH and '535' in told and 'not it' not in told, 'a wrong password is told, and not shown', told)
                told = send(sink.port, 'a@example.org', tls=tls, ca=pair[0])
                equal(code(told), AUTH, 'a login that is missing is told as that: ' + told)
                logins = len(sink.logins)
                equal(code(send(sink.port, 'a@example.org', tls=tls, **login)), UNREACHABLE, 'without trust')
                equal(len(sink.logins), logins, 'no password is sent')
    with Sink(tls='starttls', pair=other) as sink:
        equal(code(send(sink.port, 'a@example.org', tls='starttls', ca=other[0])), UNREACHABLE, "another machine's certificate")
        equal(sink.mails, [], 'gets nothing')
    with Sink() as sink:
        told = send(sink.port, 'a@example.org', tls='starttls')
        fact(code(told) == UNREACHABLE and 'STARTTLS' in told, 'without STARTTLS nothing is sent', told)
        equal(sink.mails, [], 'at all')


def bad_servers():
    with socket.socket() as closed:
        closed.bind(('127.0.0.1', 0))
        equal(code(send(closed.getsockname()[1], 'a@example.org')), TRANSIENT, 'nobody listens')
    for label, says in [('silent', b''), ('full', b'421 too busy\r\n'), ('no mail server', b'HTTP/1.1 200 OK\r\n\r\n'),
                        ('endless', b'220-' + b'x' * 4000000)]:
        with socket.create_server(('127.0.0.1', 0)) as server:
            def answer(listener=server, text=says):
                try:
                    link, _ = listener.accept()
                    link.sendall(text)
                    link.recv(1)
                except OSError:
                    pass
            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            equal(code(send(server.getsockname()[1], 'a@example.org', ms=3000)), TRANSIENT, 'a server that is ' + label)


headers()
hostile_texts()
recipients()
security()
bad_servers()
finish()
