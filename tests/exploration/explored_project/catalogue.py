"""A project with more objects than a check looks at in each history."""


class Article:
    """Something on sale."""

    def __init__(self, number):
        self.number = number
        self.is_announced = False


articles = [Article(number) for number in range(2_000)]


def announce(number, mailer):
    """Announce an article once a process, so twice by two processes."""
    article = articles[number]
    if not article.is_announced:
        mailer.send(number)
        article.is_announced = True
