"""A project with more objects than a check looks at in each history."""


class Article:
    """Something on sale."""

    def __init__(self, number):
        self.number = number
        self.is_announced = False


#: Empty but in the tests that need them: each check of another test would look at all.
articles = []


def announce(number, mailer):
    """Announce an article once a process, so twice by two processes."""
    article = articles[number]
    if not article.is_announced:
        mailer.send(number)
        article.is_announced = True
