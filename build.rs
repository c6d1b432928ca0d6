//! Generates the client from `openapi.json` and the overlays.

use std::{env, error, fs, path::Path};

use anthropic_messages_codegen::{Contract, Lowered, Requirements, finish, run, settings};
use sha2::{Digest, Sha256};

type Error = Box<dyn error::Error + Send + Sync>;

fn main() {
    if let Err(error) = run(generate) {
        for line in error.to_string().lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn generate() -> Result<(), Error> {
    println!("cargo::rerun-if-changed=build.rs");
    let name = chosen("ANTHROPIC_MESSAGES_OPENAPI", "openapi.json")?;
    let text = read(&name)?;
    let mut contract = Contract::parse(&name, &text)?;
    for overlay in overlays()? {
        let text = read(&overlay)?;
        let is_ours = !Path::new(&overlay).is_absolute();
        contract =
            if is_ours { contract.built_in_overlay(&overlay, &text)? } else { contract.overlay(&overlay, &text)? };
    }
    let requirements = Requirements::parse(REQUIREMENTS, &read(REQUIREMENTS)?)?;

    let mut lowered = contract.lower()?;
    requirements.check(&mut lowered)?;
    // Hand-written code is compiled only if the operations it calls exist.
    println!("cargo::rustc-check-cfg=cfg(operation, values(any()))");
    for operation in lowered.operation_names() {
        println!("cargo::rustc-cfg=operation={operation:?}");
    }
    println!("cargo::rustc-check-cfg=cfg(parameters_of, values(any()))");
    println!("cargo::rustc-check-cfg=cfg(required_parameters_of, values(any()))");
    for (operation, is_required) in lowered.operations_with_parameters() {
        println!("cargo::rustc-cfg=parameters_of={operation:?}");
        if is_required {
            println!("cargo::rustc-cfg=required_parameters_of={operation:?}");
        }
    }
    let code = progenitor::Generator::new(&settings())
        .generate_tokens(&lowered.openapi()?)
        .map_err(|error| format!("{name}: progenitor can't take the lowered contract: {error}"))?;
    let generated = finish(&lowered, &requirements, code)?;

    let constants = format!(
        "pub(crate) const CONTRACT_SOURCE: &str = {name:?};\n\
         pub(crate) const CONTRACT_SHA256: &str = {:?};\n\
         pub(crate) const CONTRACT_SERVER: &str = {:?};\n\
         pub(crate) const LOWERING_NOTES: &[(&str, &str)] = &{:?};\n",
        Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        lowered.server.as_deref().unwrap_or_default(),
        lowered.notes.iter().map(|note| (&note.pointer, &note.text)).collect::<Vec<_>>(),
    );
    let out = env::var("OUT_DIR")?;
    let write = |file: &str, text: &str| fs::write(Path::new(&out).join(file), text);
    write("constants.rs", &constants)?;
    write("contract.json", &contract.to_json()?)?;
    // For tests: a table of the types, and the surface for reviews.
    write("types.rs", &generated.types)?;
    write("surface.txt", &generated.surface)?;
    write("generated.rs", &generated.source)?;
    write("blocking.rs", &generated.blocking)?;
    let notes: String = lowered.notes.iter().map(|note| format!("{note}\n")).collect();
    write("notes.txt", &notes)?;
    report_notes(&name, &lowered, &Path::new(&out).join("notes.txt"))
}

/// Fails on notes that `ANTHROPIC_MESSAGES_STRICT` doesn't accept. Without it, prints how many notes there are. The package's
/// own contract has none.
fn report_notes(name: &str, lowered: &Lowered, file: &Path) -> Result<(), Error> {
    const VARIABLE: &str = "ANTHROPIC_MESSAGES_STRICT";
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let strict = env::var(VARIABLE).unwrap_or_default();
    let (accepted, remedy) = match strict.as_str() {
        "" | "0" => {
            if !lowered.notes.is_empty() {
                let count = lowered.notes.len();
                println!("cargo::warning={name}: {count} parts of the contract can't be kept; see {}", file.display());
            }
            return Ok(());
        }
        "1" => (String::new(), "keep a list of accepted notes and name it in the variable".to_owned()),
        list => {
            let list = chosen(VARIABLE, list)?;
            (read(&list)?, format!("accept them with `cp {} {list}`", file.display()))
        }
    };
    match lowered.notes_beyond(&accepted).as_slice() {
        [] => Ok(()),
        new @ [first, ..] => Err(format!("{name}: {first} ({VARIABLE}: {} new notes; {remedy})", new.len()).into()),
    }
}

/// Returns the overlays in the order they apply: the package's own, or the one that replaces them, then the user's.
fn overlays() -> Result<Vec<String>, Error> {
    let mut overlays = match chosen("ANTHROPIC_MESSAGES_OVERLAY", "overlay.json")?.as_str() {
        "none" => Vec::new(),
        "overlay.json" => {
            let optional =
                [("CARGO_FEATURE_FAMILY", "overlay-family.json"), ("CARGO_FEATURE_BETA", "overlay-beta.json")];
            let enabled = optional.iter().filter(|(feature, _)| env::var_os(feature).is_some());
            ["overlay.json"].into_iter().chain(enabled.map(|(_, file)| *file)).map(str::to_owned).collect()
        }
        other => vec![other.to_owned()],
    };
    let added = chosen("ANTHROPIC_MESSAGES_OVERLAY_ADD", "none")?;
    if Path::new(&added).is_dir() {
        println!("cargo::rerun-if-changed={added}");
        let mut files = Vec::new();
        for entry in fs::read_dir(&added).map_err(|error| format!("{added}: failed to read the folder: {error}"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path.to_str().ok_or_else(|| format!("{added}: a file name is not UTF-8"))?.to_owned());
            }
        }
        files.sort();
        overlays.extend(files);
    } else if added != "none" {
        overlays.push(added);
    }
    Ok(overlays)
}

/// The parts of a contract that the code in `src` needs.
const REQUIREMENTS: &str = "src/requirements.json";

/// Returns the path in a variable, or the default if the variable isn't set.
fn chosen(variable: &str, default: &str) -> Result<String, Error> {
    println!("cargo::rerun-if-env-changed={variable}");
    let Ok(path) = env::var(variable) else { return Ok(default.to_owned()) };
    if path.is_empty() {
        return Err(format!("{variable} is set and empty; unset it, or give an absolute path").into());
    }
    if path.contains("://") {
        return Err(
            format!("{variable} is a URL, and the build uses no network; download the file and give its path").into()
        );
    }
    if path != "none" && !Path::new(&path).is_absolute() {
        return Err(format!(
            "{variable} is the relative path {path:?}, and a build script can't know what it is relative to; in \
             .cargo/config.toml write [env] {variable} = {{ value = {path:?}, relative = true }}, or give an absolute path"
        )
        .into());
    }
    Ok(path)
}

fn read(path: &str) -> Result<String, Error> {
    println!("cargo::rerun-if-changed={path}");
    fs::read_to_string(path).map_err(|error| format!("{path}: failed to read the file: {error}").into())
}
