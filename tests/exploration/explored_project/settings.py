"""The settings of the project. Nothing of it runs in a delivery."""

sent = False


class Mails:
    sent = False
