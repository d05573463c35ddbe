"""Message: a notification as an e-mail. Sources: RFC 5322; RFC 3834 for `Auto-Submitted`."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from db.notifications.mail import OutgoingMail

FOOTER = (
    "You get this message because you chose to get notifications of the kind {kind} by e-mail. "
    "`setEmailNotifications` changes that."
)


def email(mail: OutgoingMail, sender: str) -> EmailMessage:  # type: ignore[explicit-any]  # its headers, by default
    """The ID is that of the notification, so that a message sent twice can be recognized. Raises
    ValueError for an address that cannot be written."""
    notification, message = mail.notification, EmailMessage()
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=mail.address)
    message["Subject"] = " ".join(notification.title.split())  # a line break would begin a header
    message["Date"] = format_datetime(notification.created_at)
    message["Message-ID"] = f"<{notification.id.hex}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    text = notification.title if notification.body is None else notification.body
    message.set_content(f"{text}\n\n-- \n{FOOTER.format(kind=notification.kind)}\n")
    return message
