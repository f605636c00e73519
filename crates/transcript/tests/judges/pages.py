"""Judges a tree of pages with the parser of Python's standard library: python3 pages.py FOLDER.

Prints each problem; says how much it looked at, and exits with 1 if there was a problem.
"""
import collections
import html.parser
import pathlib
import re
import sys

VOID = {"meta", "link", "br", "hr", "img", "input"}
SVG = {"svg", "g", "a", "text", "tspan", "title", "line", "path", "circle", "rect"}
KNOWN = SVG | VOID | set(
    "html head title style body header nav ol ul li main h1 h2 h3 p dl dt dd div section table caption thead tbody tr th td"
    " form label select option button output fieldset legend small code pre time span b mark del ins details summary footer script".split()
)
LINKS = {"href", "src", "action", "data", "poster", "srcset", "formaction", "xlink:href"}


class Page(html.parser.HTMLParser):
    def __init__(self, name):
        super().__init__(convert_charrefs=True)
        self.name, self.problems, self.stack = name, [], []
        self.ids, self.links, self.tags, self.references = [], [], collections.Counter(), []
        self.lang, self.texts = None, collections.defaultdict(str)

    def problem(self, text):
        self.problems.append(f"{self.name}:{self.getpos()[0]}: {text}")

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        self.tags[tag] += 1
        if tag not in KNOWN:
            self.problem(f"element <{tag}> is none of ours")
        if len(attributes) != len(pairs):
            self.problem(f"<{tag}> has an attribute twice")
        for name, value in pairs:
            if name.startswith("on") or name == "style":
                self.problem(f"<{tag}> has {name}=")
            if name in LINKS:
                self.links.append((self.getpos()[0], tag, value))
            if name == "id":
                self.ids.append(value)
            if name in ("for", "aria-labelledby"):
                self.references += value.split()
        if tag == "html":
            self.lang = attributes.get("lang")
        if tag == "meta" and attributes.get("http-equiv"):
            self.texts["policy"] = attributes.get("content", "")
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, pairs):
        self.handle_starttag(tag, pairs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.problem(f"</{tag}> ends nothing")

    def handle_data(self, data):
        if self.stack:
            self.texts[self.stack[-1]] += data
        # characters that are not seen or reorder others must have been spelled out
        hidden = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", data)
        if hidden:
            self.problem(f"the character {hidden.group()!a} is there raw")


def main(folder):
    pages = {}
    for file in sorted(folder.rglob("*")):
        if file.is_dir():
            continue
        page = Page(file.relative_to(folder))
        page.feed(file.read_text(encoding="utf-8"))
        page.close()
        pages[file.resolve()] = page
    scripts, styles = set(), set()
    for file, page in pages.items():
        if page.stack:
            page.problem(f"{page.stack} never end")
        for value, count in collections.Counter(page.ids).items():
            if count > 1:
                page.problem(f"id {value} is there {count} times")
        for reference in page.references:
            if reference not in page.ids:
                page.problem(f"no element has the id {reference}")
        for tag, wanted in [("main", 1), ("h1", 1), ("script", 1), ("style", 1), ("html", 1), ("body", 1), ("footer", 1)]:
            if page.tags[tag] != wanted:
                page.problem(f"{page.tags[tag]} <{tag}> where there should be {wanted}")
        if page.lang != "en" or not page.texts["title"].strip():
            page.problem("no language or no title")
        if "default-src 'none'" not in page.texts["policy"]:
            page.problem("no policy that keeps everything out")
        scripts.add(page.texts["script"])
        styles.add(page.texts["style"])
        for line, tag, link in page.links:
            if link == "data:," and tag == "link":
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if ":" in path or path.startswith(("/", "\\")):
                page.problems.append(f"{page.name}:{line}: {link} leads out of the tree")
            elif target not in pages:
                page.problems.append(f"{page.name}:{line}: {link} leads to no file")
            elif anchor and anchor not in pages[target].ids:
                page.problems.append(f"{page.name}:{line}: {link} leads to nothing on its page")
    problems = [problem for page in pages.values() for problem in page.problems]
    if len(scripts) != 1 or len(styles) != 1:
        problems.append("the pages do not all have the same script and style")
    for problem in problems[:50]:
        print(problem)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {links} links, {len(problems)} problems")
    return 1 if problems or not pages else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
