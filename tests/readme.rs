//! The numbers of the README are those of `docs/`.

#![cfg(test)]

const README: &str = include_str!("../README.md");
const DOCUMENTS: [&str; 2] = [include_str!("../docs/performance.md"), include_str!("../docs/build-cost.md")];

/// The numbers of a text: digits, with a point between them.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|word| word.trim_matches('.'));
    words.filter(|word| !word.is_empty())
}

#[test]
fn every_measured_number_is_in_the_documents() {
    let (_, costs) = README.split_once("These are the costs, from").unwrap();
    let rows: Vec<&str> = costs.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
    let rows = rows.split(|row| !row.starts_with('|')).next().unwrap();
    assert!(rows.len() >= 5, "{rows:?}");
    let measured: Vec<&str> = DOCUMENTS.into_iter().flat_map(numbers).collect();
    for row in rows {
        let in_row: Vec<&str> = numbers(row).collect();
        assert!(!in_row.is_empty(), "{row}");
        for number in in_row {
            assert!(measured.contains(&number), "{number} of `{row}` is in none of the documents");
        }
    }
}
