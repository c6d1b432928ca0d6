#!/usr/bin/env python3
"""Holds the example `drift` to cargo-semver-checks: it must never report a lower level.

    scripts/drift-check.py [--pairs N] [SPEC...]

The crate's contract is changed in each way that a maintainer may change it, and each SPEC in one way after the other.
Each pair of versions is generated, documented as rustdoc JSON, and compared by both programs. Needs
cargo-semver-checks (`.ci/install-tools cargo-semver-checks`). Everything is written to target/drift.
"""
import copy, json, os, pathlib, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "drift"
LEVELS = ["no change", "patch", "minor", "major"]


def schemas(document):
    return document["components"]["schemas"]


def objects(document):
    """The named objects with properties, in order."""
    return [(name, it) for name, it in schemas(document).items() if isinstance(it.get("properties"), dict) and it["properties"]]


def enums(document):
    found = []

    def walk(node):
        if isinstance(node, dict):
            values = node.get("enum")
            if isinstance(values, list) and len(values) > 1 and all(isinstance(it, str) for it in values):
                found.append(node)
            for it in node.values():
                walk(it)
        elif isinstance(node, list):
            for it in node:
                walk(it)

    walk(schemas(document))
    return found


def optional(document):
    """An optional string of a named object."""
    for name, schema in objects(document):
        for member, it in schema["properties"].items():
            if member not in schema.get("required", []) and it.get("type") in ("string", ["string", "null"]) and "enum" not in it:
                return schema, member


def required(document):
    for name, schema in objects(document):
        for member in schema.get("required", []):
            it = schema["properties"].get(member, {})
            if it.get("type") == "string" and "enum" not in it and "const" not in it:
                return schema, member


def add_field(document):
    objects(document)[0][1]["properties"]["added_field"] = {"type": "integer"}


def add_required_field(document):
    schema = objects(document)[0][1]
    schema["properties"]["added_required"] = {"type": "string"}
    schema.setdefault("required", []).append("added_required")


def remove_field(document):
    schema, member = optional(document)
    del schema["properties"][member]


def rename_field(document):
    schema, member = optional(document)
    schema["properties"]["renamed_" + member] = schema["properties"].pop(member)


def retype_field(document):
    schema, member = optional(document)
    schema["properties"][member] = {"type": "boolean"}


def require_field(document):
    schema, member = optional(document)
    schema.setdefault("required", []).append(member)


def unrequire_field(document):
    schema, member = required(document)
    schema["required"].remove(member)


def nullable_field(document):
    schema, member = required(document)
    schema["properties"][member]["type"] = ["string", "null"]


def list_field(document):
    schema, member = optional(document)
    schema["properties"][member] = {"type": "array", "items": {"type": "string"}}


def describe_field(document):
    schema, member = optional(document)
    schema["properties"][member]["description"] = "Another description."


def constrain_field(document):
    schema, member = optional(document)
    schema["properties"][member]["maxLength"] = 7


def add_value(document):
    enums(document)[0]["enum"].append("added_value")


def remove_value(document):
    enums(document)[0]["enum"].pop()


def rename_value(document):
    enums(document)[0]["enum"][0] += "_renamed"


def reverse_schemas(document):
    document["components"]["schemas"] = dict(reversed(list(schemas(document).items())))


def reverse_properties(document):
    for _, schema in objects(document):
        schema["properties"] = dict(reversed(list(schema["properties"].items())))


def add_schema(document):
    schemas(document)["AddedSchema"] = {"type": "object", "properties": {"x": {"type": "string"}}}


def add_operation(document):
    document["paths"]["/added"] = {"get": {"operationId": "addedOperation", "responses": {"204": {"description": ""}}}}


def operation(document):
    for path, item in document["paths"].items():
        for method in ("get", "post", "put", "delete", "patch"):
            if method in item:
                return path, item, method


def rename_operation(document):
    _, item, method = operation(document)
    item[method]["operationId"] = "renamedOperation"


def move_operation(document):
    path, item, method = operation(document)
    document["paths"]["/moved" + path] = document["paths"].pop(path)


def add_parameter(document):
    _, item, method = operation(document)
    item[method].setdefault("parameters", []).append({"name": "added", "in": "query", "schema": {"type": "string"}})


def add_required_parameter(document):
    _, item, method = operation(document)
    item[method].setdefault("parameters", []).append({"name": "needed", "in": "query", "required": True, "schema": {"type": "string"}})


def retype_response(document):
    _, item, method = operation(document)
    item[method]["responses"] = {"200": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}}}}


def remove_operation(document):
    path, item, method = operation(document)
    del item[method]


def add_branch(document):
    for schema in schemas(document).values():
        if "oneOf" in schema:
            schema["oneOf"].append({"type": "object", "required": ["type"], "properties": {"type": {"const": "added_branch"}}})
            return


MUTATIONS = [
    add_field, describe_field, add_schema, add_value, add_operation, constrain_field, add_parameter, reverse_schemas,
    require_field, rename_value, add_required_field, unrequire_field, nullable_field, retype_field, list_field,
    remove_field, rename_field, remove_value, reverse_properties, rename_operation, move_operation,
    add_required_parameter, retype_response, add_branch, remove_operation,
]


def cargo(*arguments, **environment):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)


def rustdoc(spec, name):
    """Writes the rustdoc JSON of the client with the code that is generated for a document as a public module."""
    # A target directory of its own, because RUSTC_BOOTSTRAP makes cargo build the dependencies again.
    source, module, output = WORK / "out.rs", WORK / "module.rs", WORK / f"{name}.json"
    subprocess.run([TARGET / "debug/examples/generate", spec, "--out", source], check=True, capture_output=True)
    module.write_text("#[allow(warnings)]\npub mod drift {\n" + source.read_text() + "}\n")
    done = cargo("rustdoc", "--quiet", "--offline", "--lib", "--", "-Zunstable-options", "--output-format", "json",
                 "--cap-lints", "allow", "--cfg", "anthropic_messages_harness",
                 RUSTC_BOOTSTRAP="1", CARGO_TARGET_DIR=str(WORK / "target"), ANTHROPIC_MESSAGES_HARNESS=str(module))
    if done.returncode:
        sys.exit(f"{spec}: {done.stderr}")
    output.write_bytes((WORK / "target/doc/anthropic_messages.json").read_bytes())
    return output


def semver_checks(old, new):
    done = cargo("semver-checks", "--baseline-rustdoc", str(old), "--current-rustdoc", str(new), "--release-type", "patch")
    text = done.stdout + done.stderr
    if "semver requires new major version" in text:
        return "major"
    if "semver requires new minor version" in text:
        return "minor"
    if done.returncode:
        sys.exit(text)
    return "patch"


def compare(name, old, new, old_json):
    new_json = rustdoc(new, name)
    start = time.monotonic()
    lines = subprocess.run([TARGET / "debug/examples/drift", old, new], capture_output=True, text=True).stdout.splitlines()
    seconds = time.monotonic() - start
    ours, theirs = lines[-1], semver_checks(old_json, new_json)
    is_less = LEVELS.index(ours) < LEVELS.index(theirs) and not (ours == "no change" and theirs == "patch")
    print(f"| {name} | {ours} | {theirs} | {seconds:.1f} s |{' LESS' if is_less else ''}", flush=True)
    return is_less, new_json


def main():
    arguments, limit = sys.argv[1:], len(MUTATIONS)
    if arguments[:1] == ["--pairs"]:
        limit, arguments = int(arguments[1]), arguments[2:]
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "build", "--quiet", "-p", "anthropic-messages-codegen", "--examples"], cwd=ROOT, check=True)
    failed = 0
    print("| change | drift | cargo-semver-checks | time of drift |\n|---|---|---|---|")
    contract = ROOT / "openapi.json"
    base = rustdoc(contract, "contract")
    for mutation in MUTATIONS[:limit]:
        document = json.loads(contract.read_text())
        mutation(document)
        new = WORK / f"{mutation.__name__}.spec.json"
        new.write_text(json.dumps(document))
        failed += compare(mutation.__name__, contract, new, base)[0]
    for spec in map(pathlib.Path, arguments):
        old, old_json, steps = spec, rustdoc(spec, spec.stem), 0
        document = json.loads(spec.read_text())
        for mutation in MUTATIONS:
            if steps == min(limit, 10):
                break
            changed = copy.deepcopy(document)
            try:
                mutation(changed)
            except (TypeError, IndexError, KeyError):
                continue  # The document has no place for the change.
            document, steps = changed, steps + 1
            new = WORK / f"{spec.stem}-{mutation.__name__}.spec.json"
            new.write_text(json.dumps(document))
            is_less, old_json = compare(f"{spec.stem}-{mutation.__name__}", old, new, old_json)
            old, failed = new, failed + is_less
    sys.exit(f"{failed} changes are reported with a lower level" if failed else 0)


main()
