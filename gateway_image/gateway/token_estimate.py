"""How many tokens a request's body may be at a model, before the model has counted them.

Which tokens a text is differs from model to model, and most providers do not publish how they cut it. So
the bytes are counted by kind, each with a share of a token that tokenizers of today hardly exceed: prose,
code and JSON come out at 1.4 to 2.2 times their tokens, text without words (hexadecimal, base64, random
characters) at 0.7 to 1.6 times. The time taken is proportional to the body, whatever it holds.
"""

import re
import string
from itertools import islice

# In tenths of a token.
_LOWER_CASE_OR_SPACE = 4
_UPPER_CASE = 9
# Some models make each digit a token.
_DIGIT = 10
_PUNCTUATION = 8
# A character of Chinese is three bytes, and up to two tokens.
_OTHER_BYTE = 6

# More than any image is at Claude and Nova; OpenAI's gpt-4o-mini counts more.
IMAGE_TOKENS = 5000
# Of a document as text and pictures of its pages, by its size in base64; no model takes a longer prompt.
_DOCUMENT_BYTES_PER_TOKEN = 4
_MOST_DOCUMENT_TOKENS = 1_000_000
# What providers put before the definitions of tools.
_TOOLS_TOKENS = 1000

# More than any model takes; what follows counts as text.
_MOST_FILES = 1000

_WORDS = (string.ascii_lowercase + " ").encode()
_CAPITALS = string.ascii_uppercase.encode()
_DIGITS = string.digits.encode()
_MARKS = bytes(byte for byte in range(128) if byte not in _WORDS + _CAPITALS + _DIGITS)
_BASE64 = (string.ascii_letters + string.digits + "+/=\\").encode()

# The beginning of a file in base64 where OpenAI's and Anthropic's APIs have it, and what it is by its first
# bytes: PNG, JPEG, GIF, WebP or PDF. A slash may be escaped.
_FILE = re.compile(
    rb'"(?:url|image_url|data|file_data)"\s{0,9}:\s{0,9}"(?:data:[a-z]{1,20}\\?/[a-z0-9.+-]{1,40};base64,)?'
    rb"(?:(iVBORw0KGgo|\\?/9j\\?/|R0lGOD|UklGR)|(JVBERi))"
)
# How an image, in the body or at a URL, is announced by Anthropic's API, the Responses API and chat
# completions, of which the last says it twice.
_IMAGES = ((b'"image"', 1), (b'"input_image"', 1), (b'"image_url"', 2))


def estimate(body: bytes) -> int:
    """Tokens that the model will make of a body, rather too many than too few; at least 1."""
    text, images, document_tokens = _without_files(body)
    announced = max(-(-body.count(mark) // times) for mark, times in _IMAGES)
    tools = _TOOLS_TOKENS if b'"tools"' in body else 0
    return _text_tokens(text) + IMAGE_TOKENS * max(images, announced) + document_tokens + tools


def _without_files(body: bytes) -> tuple[bytes, int, int]:
    """The rest of a body, how many images were taken out of it, and the tokens of the documents that were."""
    kept: list[bytes] = []
    position = images = document_tokens = 0
    for file in islice(_FILE.finditer(body), _MOST_FILES):
        begin = file.start(file.lastindex or 0)
        end = body.find(b'"', begin)
        if end < 0 or body[begin:end].translate(None, _BASE64):
            # No file but a text that begins like one.
            continue
        kept.append(body[position:begin])
        position = end
        if file.lastindex == 1:
            images += 1
        else:
            size = (end - begin) // _DOCUMENT_BYTES_PER_TOKEN
            document_tokens += min(max(size, IMAGE_TOKENS), _MOST_DOCUMENT_TOKENS)
    kept.append(body[position:])
    return b"".join(kept), images, document_tokens


def _text_tokens(text: bytes) -> int:
    # Escapes are six bytes for a character of two or three.
    if 24 * text.count(b"\\u") > len(text):
        text = _unescaped(text)
    # Indentation takes few tokens, however deep.
    text = text.replace(b"    ", b" ")
    tenths = 0
    for kind, weight in (
        (_WORDS, _LOWER_CASE_OR_SPACE),
        (_MARKS, _PUNCTUATION),
        (_DIGITS, _DIGIT),
        (_CAPITALS, _UPPER_CASE),
    ):
        rest = text.translate(None, kind)
        tenths += weight * (len(text) - len(rest))
        text = rest
    tenths += _OTHER_BYTE * len(text)
    return tenths // 10 + 1


def _unescaped(text: bytes) -> bytes:
    try:
        return text.decode("raw_unicode_escape").encode(errors="surrogatepass")
    except UnicodeDecodeError:
        return text
