"""What jobs send by smtplib."""

from __future__ import annotations

import functools
import smtplib
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, looking, note_connection, perform_act
from ..engine.sources import reaching
from ..messages.mail import Mail

library: Final = "smtplib"


def install(patches: Patches) -> None:
    """Hear of the mails that every connection sends."""
    for kind in (smtplib.SMTP, smtplib.LMTP):
        patches.set(kind, "connect", _connecting(vars(kind)["connect"]))
    sendmail = smtplib.SMTP.sendmail

    @functools.wraps(sendmail)
    def heard(
        self: smtplib.SMTP, from_addr: str, to_addrs: Any, msg: Any, *args: Any, **kwargs: Any
    ) -> Any:
        mail = Mail.sent(from_addr, to_addrs, msg)
        act = Act(
            "mail", str(mail), value=mail.said, refused=lambda: _refused(mail), answer_lost=_lost
        )
        return perform_act(act, lambda: sendmail(self, from_addr, to_addrs, msg, *args, **kwargs))

    patches.set(smtplib.SMTP, "sendmail", heard)


def _connecting(connect: Any) -> Any:
    @functools.wraps(connect)
    def connected(self: smtplib.SMTP, host: str = "localhost", *args: Any, **kwargs: Any) -> Any:
        with looking(), reaching(host, "mail"):
            answer = connect(self, host, *args, **kwargs)
        note_connection(self.close)
        return answer

    return connected


def _refused(mail: Mail) -> Exception:
    return smtplib.SMTPSenderRefused(451, b"4.3.0 Temporary failure, try again", mail.sender)


def _lost() -> Exception:
    return smtplib.SMTPServerDisconnected("Connection unexpectedly closed: timed out")
