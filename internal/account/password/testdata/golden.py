"""Writes verdicts.json and unicode.json, the answers of the older server.

Run it with Python 3.11 and Django 3.2.25 (Debian 12 has both, as python3-django):

    python3 golden.py

verdicts.json holds, for every input below, what Django's own four validators
say about it. unicode.json holds what Python knows of every code point that the
validators touch: the Go code is held against all of them, not against samples.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

import django
from django.conf import settings

settings.configure(USE_I18N=False)

from django.contrib.auth import password_validation as v  # noqa: E402
from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402

assert django.__version__ == "3.2.25", django.__version__
assert sys.version_info[:2] == (3, 11), sys.version

HERE = Path(__file__).parent


class Field:
    def __init__(self, verbose_name):
        self.verbose_name = verbose_name


class Meta:
    @staticmethod
    def get_field(name):
        return Field({"email": "email address", "name": "name"}[name])


class User:
    _meta = Meta

    def __init__(self, name, email):
        self.name, self.email = name, email


VALIDATORS = [
    v.UserAttributeSimilarityValidator(user_attributes=("name", "email")),
    v.MinimumLengthValidator(),
    v.CommonPasswordValidator(),
    v.NumericPasswordValidator(),
]


def verdict(pw, name, email):
    try:
        v.validate_password(pw, User(name, email), VALIDATORS)
    except ValidationError as e:
        return [[f.code, f.messages[0]] for f in e.error_list]
    return []


def inputs():
    r = random.Random(3225)
    people = [
        ("", ""),
        ("Ana Popescu", "ana.popescu@example.com"),
        ("Ștefan Țăranu", "stefan_taranu@example.ro"),
        ("ŞTEFAN ŢĂRANU", "STEFAN.TARANU@EXAMPLE.RO"),
        ("Îngrid-Măriuca O’Neill", "ingrid+driver@mail.example.org"),
        ("ΟΔΥΣΣΕΥΣ ΛΑΕΡΤΙΑΔΗΣ", "odysseus@ithaka.gr"),
        ("Σ", "σς@x.gr"),
        ("İbrahim IŞIK", "ibrahim.isik@example.com.tr"),
        ("Jürgen Groß-Strauß", "juergen@straße.de"),
        ("مريم ١٢٣٤٥٦٧٨", "12345678@digits.example"),
        ("王小明", "wang@例え.jp"),
        ("  spaced\u00a0out\u2003name  ", "'quoted one'@example.com"),
        ("a!b!c", "@"),
        ("!", "@@@"),
        ("under_score", "under_score@example.com"),
        ("x" * 255, "y" * 60 + "@" + "z" * 180 + ".com"),
        ("e\u0301lodie", "élodie@example.fr"),
        ("ⅷ Ⅷ", "²³¹@sup.example"),
        ("a\x1cb\x1fc", "a\u200bb@c"),
        ("Zoë 🚗 Driver", "zoe🚗@example.com"),
    ]
    words = [
        "", " ", "a", "password", "PASSWORD", "  password  ", "\x1cpassword\x1f", "\x85password\u3000",
        "\u200bpassword", "pass word", "\tletmein\n", "trustno1", "qwerty123456", "bigpimpin1", "Mewtwo",
        "12345678", "1234567", "123456789012", "١٢٣٤٥٦٧٨", "१२३४५६७८", "١2३4５678", "²³¹²³¹²³", "①②③④⑤⑥⑦⑧",
        "⑴⑵⑶⑷⒈⒉⒊⒋", "ⅠⅡⅢⅣⅤⅥⅦⅧ", "½½½½½½½½", "一二三四五六七八", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕", "-12345678", "1234 5678",
        "12345678\n", "🯰🯱🯲🯳🯴🯵🯶🯷", "፩፪፫፬፭፮፯፰", "፲፲፲፲፲፲፲፲", "șțăîâșțăîâ", "șțăîâșț", "şţăîâşţă",
        "🚗🚗🚗🚗🚗🚗🚗", "🚗🚗🚗🚗🚗🚗🚗🚗", "e\u0301e\u0301e\u0301e\u0301", "ééééééé", "K\u212aelvin9", "PA\u017f\u017fWORD",
        "İİİİİİİİ", "İstanbul", "İSTANBUL", "istanbul", "i\u0307stanbul", "ΣΣΣΣΣΣΣΣ", "ΟΔΥΣΣΕΥΣ", "οδυσσευς",
        "οδυσσευσ", "ΟΔΥΣΣΕΥΣ.", "ΟΔΥΣΣΕΥΣ'Α", "ΣΑΣ:Σ", "ẞTRAẞE12", "straße12", "STRASSE12", "Groß-Strauß",
        "ana.popescu", "anapopescu", "AnaPopescu1", "popescu.ana", "Popescu2024", "Ana Popescu", "ANA-POPESCU",
        "ștefanțăranu", "stefantaranu", "ŞTEFANŢĂRANU", "Ștefan Țăranu", "example.com", "example.ro", "EXAMPLE",
        "elpmaxe.com", "under_score", "underscore", "score_under", "ibrahimışık", "ibrahim işik", "İBRAHİM IŞIK",
        "i\u0307brahim", "wang小明王", "王小明王小明王小明", "quoted one", "spaced out", "spacedoutname", "abc", "aabbcc", "cbacba",
        "correct horse battery staple", "hunter2hunter2", "Tr0ub4dor&3", "x" * 255, "x" * 364, "x" * 365,
        "y" * 61, "z" * 1024, "digits.example", "zoe🚗driver", "🚗 Driver Zoë", "elodie", "élodie12", "odysseus",
        "σςσςσςσς", "ΣΣ", "ithaka.gr", "straße.de", "juergen@straße.de", "12345678@digits", "²³¹²³¹²³¹",
        "nul\x00nul\x00", "\x00" * 8, "line\nbreak\n", "\ufeffpassword", "password\u180e", "password\u2028", "password_",
    ]
    for pw in words:
        yield from ((pw, who) for who in r.sample(people, 9))
    # Passwords near the threshold: a part of an attribute, changed here and there.
    letters = "abcdeșțĂÎșŞΣσςİıßẞ١²9 ._-@'é"
    for _ in range(1200):
        name, email = r.choice(people[1:])
        base = list(r.choice([name, email, r.choice(v.re.split(r"\W+", email)), r.choice(v.re.split(r"\W+", name))]))[:40]
        for _ in range(r.randrange(0, 8)):
            if base and r.random() < 0.4:
                del base[r.randrange(len(base))]
            else:
                base.insert(r.randrange(len(base) + 1), r.choice(letters))
        if r.random() < 0.3:
            r.shuffle(base)
        pw = "".join(base)
        yield r.choice([pw, pw.upper(), pw.lower(), pw.title()]), (name, email)
    # The list, in other letter cases and between other kinds of whitespace.
    spaces = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u180e\u2060\ufeff"
    for pw in r.sample(sorted(VALIDATORS[2].passwords), 200):
        yield r.choice([str.upper, str.title, str])(pw), people[0]
        yield r.choice(spaces) + pw + r.choice(spaces), people[0]


def ranges(test):
    out = []
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000 or not test(chr(c)):
            continue
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def cased(c):
    """Cased and not case-ignorable: it alone makes a following Σ a final one."""
    return (c + "Σ").lower().endswith("ς")


def ignorable(c):
    """Case-ignorable: Python looks past it for a cased letter."""
    return not cased(c) and ("A" + c + "Σ").lower().endswith("ς")


def main():
    word = v.re.compile(r"\w")
    tables = {
        "version": unicodedata.unidata_version,
        "unassigned": ranges(lambda c: unicodedata.category(c) == "Cn"),
        "word": ranges(word.match),
        "digit": ranges(str.isdigit),
        "space": ranges(lambda c: c.strip() == ""),
        "cased": ranges(cased),
        "ignorable": ranges(ignorable),
        "lower": [[ord(c), c.lower()] for c in map(chr, range(0x110000))
                  if not 0xD800 <= ord(c) < 0xE000 and c.lower() != c],
    }
    (HERE / "unicode.json").write_text(json.dumps(tables, separators=(",", ":")) + "\n")

    seen, rows = set(), []
    for pw, (name, email) in inputs():
        if (pw, name, email) not in seen:
            seen.add((pw, name, email))
            rows.append([pw, name, email, verdict(pw, name, email)])
    text = ",\n".join(json.dumps(r) for r in rows)
    (HERE / "verdicts.json").write_text(f"[\n{text}\n]\n")

    hasher = PBKDF2PasswordHasher()
    hashes = [[pw, hasher.encode(pw, salt, n)] for pw, salt, n in [
        ("correct horse", "aSaltOf22Characters000", 1000),
        (" parolă cu ș ", "x", 1),
        ("", "Na Cl", 2),
        ("🚗" * 40, "seasalt2", 1500),
    ]]
    (HERE / "django.json").write_text(json.dumps(hashes, indent=0) + "\n")


if __name__ == "__main__":
    main()
