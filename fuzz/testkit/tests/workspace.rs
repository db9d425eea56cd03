//! The shape of the workspace: what lies where, what each crate promises, what the fuzz targets have.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the report"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The published crates, each of use alone.
const PUBLISHED: [&str; 6] = [
    "ortc-core",
    "ortc-dtls",
    "ortc-dtmf",
    "ortc-ice",
    "ortc-rtp",
    "ortc-srtp",
];

/// What else a checkout holds, but for files whose names begin with a dot.
const OTHERS: [&str; 9] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "fuzz",
];

/// Examples, benches and test data live in the crate that they belong to, so nothing else is here.
#[test]
fn the_top_level_holds_the_crates_and_little_else() {
    let expected: BTreeSet<_> = PUBLISHED
        .into_iter()
        .chain(OTHERS)
        .chain(["rustfmt.toml"])
        .map(String::from)
        .collect();
    let ignored = read(&root().join(".gitignore"));
    let found: BTreeSet<_> = names(&root())
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .filter(|name| !ignored.lines().any(|line| line == format!("/{name}")))
        .collect();
    assert_eq!(found, expected);
    assert!(root().join(".ci/run").is_file());
}

/// The map of the code in the README: a path from the root, or from the `src` of a crate that the
/// same sentence names.
#[test]
fn every_source_file_that_the_readme_names_exists() {
    let readme = read(&root().join("README.md"));
    let named = readme.split('`').filter(|text| text.ends_with(".rs"));
    let missing: Vec<_> = named
        .filter(|path| {
            let beside = |name: &&str| root().join(name).join("src").join(path).is_file();
            !root().join(path).is_file() && !PUBLISHED.iter().any(beside)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_crate_forbids_unsafe_code_and_inherits_the_lints() {
    let manifest = read(&root().join("Cargo.toml"));
    let lints = section(&manifest, "[workspace.lints.rust]");
    assert!(lints.contains(&"unsafe_code = \"forbid\""));
    for member in members(&metadata()) {
        let manifest = read(&member.manifest);
        assert_eq!(
            section(&manifest, "[lints]"),
            ["workspace = true"],
            "{}",
            member.name
        );
    }
}

/// Nobody can publish the test tools by mistake, or a crate that does not say what it is.
#[test]
fn the_published_crates_are_the_six_and_describe_themselves() {
    let metadata = metadata();
    let members = members(&metadata);
    let published: BTreeSet<_> = members
        .iter()
        .filter(|member| member.value["publish"].is_null())
        .map(|member| member.name.as_str())
        .collect();
    assert_eq!(published, BTreeSet::from(PUBLISHED));
    for member in &members {
        assert_eq!(
            member.value["license"], "MIT OR Apache-2.0",
            "{}",
            member.name
        );
        assert_eq!(member.value["rust_version"], "1.89", "{}", member.name);
        assert!(
            member.value["description"].is_string(),
            "{} has no description",
            member.name
        );
    }
}

/// A dependency with a version would have to be on the registry before the crate could be.
#[test]
fn the_testkit_is_known_to_no_published_crate_as_more_than_a_path() {
    for member in members(&metadata()) {
        if member.name == "ortc-fuzz" {
            continue;
        }
        for dependency in member.value["dependencies"].as_array().unwrap() {
            if dependency["name"] == "ortc-testkit" {
                assert_eq!(dependency["kind"], "dev", "{}", member.name);
                assert_eq!(dependency["req"], "*", "{}", member.name);
            }
        }
    }
}

/// The layers know only what is below them.
#[test]
fn dependencies_between_the_crates_point_down() {
    for member in members(&metadata()) {
        if !PUBLISHED.contains(&member.name.as_str()) {
            continue;
        }
        let below: &[&str] = match member.name.as_str() {
            "ortc-core" => &PUBLISHED,
            "ortc-dtmf" => &["ortc-rtp"],
            _ => &[],
        };
        for dependency in member.value["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            if dependency["kind"].is_null() && name.starts_with("ortc-") {
                assert!(below.contains(&name), "{} uses {name}", member.name);
            }
        }
    }
}

/// The lock file must not hold what the stated minimum version of Rust cannot build.
#[test]
fn no_dependency_needs_a_newer_rust_than_the_workspace_states() {
    let metadata = metadata();
    let ours = members(&metadata)
        .iter()
        .map(|member| version(&member.value["rust_version"]).unwrap())
        .min()
        .unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "the dependencies are missing");
    let newer: Vec<_> = packages
        .iter()
        .filter(|package| version(&package["rust_version"]).is_some_and(|theirs| theirs > ours))
        .map(|package| format!("{} {}", package["name"], package["rust_version"]))
        .collect();
    assert!(newer.is_empty(), "newer than {ours:?}: {newer:?}");
}

/// Each file in `fuzz_targets` is built, begins from seeds, and holds on a stable toolchain too,
/// because some crate's tests replay those seeds through the same property.
#[test]
fn every_fuzz_target_is_built_has_seeds_and_is_replayed_by_the_tests() {
    let metadata = metadata();
    let members = members(&metadata);
    let fuzz = members.iter().find(|m| m.name == "ortc-fuzz").unwrap();
    let built: BTreeSet<_> = fuzz.value["targets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| target["name"].as_str().unwrap().to_owned())
        .collect();
    let folder = root().join("fuzz/fuzz_targets");
    let written: BTreeSet<_> = names(&folder)
        .iter()
        .map(|name| name.strip_suffix(".rs").unwrap().to_owned())
        .collect();
    assert_eq!(
        built, written,
        "the [[bin]] entries of fuzz/Cargo.toml are not the files of fuzz_targets"
    );
    assert!(written.len() >= 10);
    assert_eq!(
        names(&root().join("fuzz/corpus")),
        written,
        "the corpora are not those of the targets"
    );

    let tests = tests_of_properties();
    for target in &written {
        let seeds = names(&root().join("fuzz/corpus").join(target));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        let source = read(&folder.join(format!("{target}.rs")));
        let property = source
            .lines()
            .find_map(|line| line.split_once("ortc_testkit::props::"))
            .and_then(|(_, call)| call.split_once("(data)"))
            .map(|(path, _)| path)
            .unwrap_or_else(|| panic!("{target} calls no property"));
        let seeds = format!("\"{target}\"");
        let folder = format!("fuzz/corpus/{target}\"");
        assert!(
            tests
                .iter()
                .any(|test| test.contains(property)
                    && (test.contains(&seeds) || test.contains(&folder))),
            "no properties test replays the seeds of {target} through {property}"
        );
    }
}

/// The text of each `tests/*properties.rs` of the published crates.
fn tests_of_properties() -> Vec<String> {
    PUBLISHED
        .iter()
        .map(|name| root().join(name).join("tests"))
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| {
            names(&folder)
                .into_iter()
                .filter(|name| name.ends_with("properties.rs"))
                .map(move |name| read(&folder.join(name)))
        })
        .collect()
}

/// A crate of the workspace.
struct Member {
    name: String,
    manifest: PathBuf,
    value: Value,
}

fn members(metadata: &Value) -> Vec<Member> {
    let ids = metadata["workspace_members"].as_array().unwrap();
    let members: Vec<_> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| ids.contains(&package["id"]))
        .map(|package| Member {
            name: package["name"].as_str().unwrap().to_owned(),
            manifest: package["manifest_path"].as_str().unwrap().into(),
            value: package.clone(),
        })
        .collect();
    assert_eq!(members.len(), PUBLISHED.len() + 2);
    members
}

/// What cargo knows of the workspace and of its dependencies: on all platforms where those are
/// downloaded, else on this one.
fn metadata() -> Value {
    describe(&[])
        .or_else(|| describe(&["--filter-platform", &host()]))
        .expect("cargo metadata")
}

fn describe(filter: &[&str]) -> Option<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(filter)
        .current_dir(root())
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| serde_json::from_slice(&output.stdout).unwrap())
}

/// The triple of this machine's toolchain.
fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_owned()
}

/// `1.89` or `1.89.0` as numbers that compare.
fn version(value: &Value) -> Option<[u64; 3]> {
    let mut numbers = value.as_str()?.split('.').map(|part| part.parse().unwrap());
    Some(core::array::from_fn(|_| numbers.next().unwrap_or(0)))
}

/// The lines below a heading of a manifest, without blanks and comments.
fn section<'a>(manifest: &'a str, heading: &str) -> Vec<&'a str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
