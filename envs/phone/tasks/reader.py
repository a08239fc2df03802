"""Tasks in the reader."""

from eyehand.envs.phone.draw import Draw
from eyehand.envs.phone.state import Article, PhoneState
from eyehand.envs.phone.tasks.answers import RightAnswer
from eyehand.envs.phone.tasks.task import ASKING, Assignment, PhoneTask, changed, question


def bookmark_article(draw: Draw, start: PhoneState) -> Assignment:
    """An article gets bookmarked."""
    title = draw.choice(start["reader"]["articles"])["title"]
    _article(start, title)["bookmarked"] = False
    goal = changed(start)
    _article(goal, title)["bookmarked"] = True
    instruction = f"Bookmark the article: {title}"
    return Assignment(instruction, start, goal, parameters={"title": title})


def article_author(draw: Draw, start: PhoneState) -> Assignment:
    """Who wrote an article."""
    article = draw.choice(start["reader"]["articles"])
    return question(
        f"Who wrote the article: {article['title']}? Answer with the full name.",
        start,
        RightAnswer(article["author"]),
        title=article["title"],
    )


def _article(state: PhoneState, title: str) -> Article:
    return next(a for a in state["reader"]["articles"] if a["title"] == title)


TASKS = (
    PhoneTask("bookmark-article", bookmark_article),
    PhoneTask("article-author", article_author, ASKING),
)
