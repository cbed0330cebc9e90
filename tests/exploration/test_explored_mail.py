"""Mails are effects, and fake_mail stands in for their servers."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from pytest_jobs import check_idempotent, fake_mail
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect


def message(subject="Your receipt"):
    made = EmailMessage()
    made["From"] = "shop@example.com"
    made["To"] = "Ann <ann@example.com>"
    made["Subject"] = subject
    made.set_content("Thanks.\n.\nGrüße\n")
    made.add_alternative("<p>Thanks.</p>", subtype="html")
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="receipt.pdf")
    return made


def send(subject="Your receipt"):
    with smtplib.SMTP("mail.example.com") as server:
        server.send_message(message(subject))


def mailbox():
    with fake_mail() as mail:
        yield lambda: {"inbox": mail.inbox}


def silent():
    with fake_mail():
        yield dict


def test_a_mail_that_is_sent_twice_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mail to ann@example\.com: Your receipt"):
        check_idempotent(send, world=silent)


@pytest.mark.slow
def test_a_mail_may_be_declared_to_be_sent_at_least_once():
    sent = []

    def world():
        sent.clear()
        yield from silent()

    def send_once():
        if not sent:
            send()
            sent.append(1)

    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(send_once, world=world, same_process=True)
    check_idempotent(
        send_once, world=world, same_process=True, at_least_once=["mail"], histories=["crash"]
    )


def test_a_mail_that_is_lost_is_found():
    def send_if_possible():
        try:
            send()
        except smtplib.SMTPException:
            return

    with pytest.raises(LostEffect, match=r"LOST mail .*\[effect_fails"):
        check_idempotent(send_if_possible, world=silent, histories=["effect_fails"])


@pytest.mark.parametrize(
    ("history", "error"),
    [
        ("effect_fails", smtplib.SMTPSenderRefused),
        ("reply_lost", smtplib.SMTPServerDisconnected),
    ],
)
def test_the_error_is_that_of_smtplib(history, error):
    errors = []

    def send_and_note():
        try:
            send()
        except smtplib.SMTPException as raised:
            errors.append(type(raised))
            raise

    try:
        check_idempotent(send_and_note, world=silent, histories=[history])
    except DuplicateEffect:
        assert history == "reply_lost"

    assert errors == [error]


def test_what_differs_each_time_that_a_mail_is_written_is_no_difference():
    from email.utils import formatdate, make_msgid

    def send_with_id():
        made = message()
        made["Date"] = formatdate()
        made["Message-ID"] = make_msgid(domain="example.com")
        with smtplib.SMTP("mail.example.com") as server:
            server.send_message(made)

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(send_with_id, world=mailbox)


def test_without_a_fake_a_mail_reaches_a_socket_that_the_source_owns():
    errors = []

    def send_to_nobody():
        try:
            smtplib.SMTP("127.0.0.1", 9)
        except OSError as error:
            errors.append(error)
            raise

    with pytest.raises(ExplorationError, match="One clean run of the job ends with"):
        check_idempotent(send_to_nobody, world=silent_without_fake)
    assert errors


def silent_without_fake():
    yield dict


def test_the_connection_of_a_killed_delivery_is_closed():
    closed = []

    class Server(smtplib.SMTP):
        def close(self):
            closed.append(self)
            super().close()

    servers = []

    def send_slowly():
        server = Server("mail.example.com")
        servers.append(server)
        server.send_message(message())

    with pytest.raises(DuplicateEffect):
        check_idempotent(send_slowly, world=silent, histories=["crash"])

    assert servers
    assert set(servers) <= set(closed)


def test_nothing_stays_patched():
    places = [(smtplib.SMTP, name) for name in ("connect", "sendmail", "starttls", "_get_socket")]
    places += [(smtplib.SMTP_SSL, "_get_socket"), (smtplib.LMTP, "connect")]
    before = [vars(owner).get(name) for owner, name in places]

    with pytest.raises(DuplicateEffect):
        check_idempotent(send, world=silent)

    assert [vars(owner).get(name) for owner, name in places] == before


@pytest.mark.parametrize(
    "kind", [smtplib.SMTP, pytest.param(smtplib.SMTP_SSL, marks=pytest.mark.wide)]
)
def test_a_mail_arrives_as_it_was_written(kind):
    with fake_mail() as mail, kind("mail.example.com") as server:
        if kind is smtplib.SMTP:
            server.starttls()
        server.login("ann", "secret")
        server.send_message(message())
        server.sendmail("a@example.com", "b@example.com", "Subject: Plain\n\n..two dots\n")

    first, second = mail.inbox
    assert first.sender == "shop@example.com"
    assert first.recipients == ("ann@example.com",)
    assert first.subject == "Your receipt"
    assert first.text == "Thanks.\n.\nGrüße\n"
    assert first.html == "<p>Thanks.</p>\n"
    assert first.attachments == (("receipt.pdf", b"%PDF"),)
    assert first.message["To"] == "Ann <ann@example.com>"
    assert (second.subject, second.text) == ("Plain", "..two dots\n")


def test_a_mail_to_several_goes_to_each():
    with fake_mail() as mail, smtplib.SMTP("mail.example.com") as server:
        refused = server.sendmail("a@example.com", ["b@example.com", "c@example.com"], "hello")
        server.rset()
        server.sendmail("a@example.com", ["d@example.com"], "hello")

    assert refused == {}
    assert [sent.recipients for sent in mail.inbox] == [
        ("b@example.com", "c@example.com"),
        ("d@example.com",),
    ]
