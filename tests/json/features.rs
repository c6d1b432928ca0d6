//! Features of serde_json that some other crate of a program may turn on, which change what its deserializers hand out.

use std::{path::Path, process::Command};

#[test]
fn features_of_serde_json_elsewhere_in_a_program_change_nothing() {
    let root = env!("CARGO_MANIFEST_DIR");
    for features in ["[\"raw_value\"]", "[\"raw_value\", \"arbitrary_precision\", \"preserve_order\"]"] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("features");
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let manifest = include_str!("features.toml.txt").replace("{features}", features);
        std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        std::fs::write(folder.join("src/main.rs"), include_str!("features.rs.txt").replace("{root}", root)).unwrap();
        std::fs::copy(Path::new(root).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let output = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--offline"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{features}: {out}{err}");
        assert_eq!(out.trim(), "10 documents were read");
    }
}
