//! Tables of text, as wide as what is in them.

/// Prints a heading, and rows below it.
pub(crate) fn print(title: &str, heads: &[&str], rows: &[Vec<String>]) {
    println!("\n{title}");
    if rows.is_empty() {
        println!("  none");
        return;
    }
    let width = |column: usize, head: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max();
        head.len().max(widest.unwrap_or(0))
    };
    let widths: Vec<_> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| width(column, head))
        .collect();
    line(heads.iter().map(|head| (*head).to_owned()), &widths);
    for row in rows {
        line(row.iter().cloned(), &widths);
    }
}

fn line(cells: impl Iterator<Item = String>, widths: &[usize]) {
    let padded = cells
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"));
    let text = padded.collect::<Vec<_>>().join("  ");
    println!("  {}", text.trim_end());
}

/// A round trip.
pub(crate) fn rtt(rtt: Option<core::time::Duration>) -> String {
    rtt.map_or("-".into(), |rtt| {
        format!("{:.1} ms", rtt.as_secs_f64() * 1e3)
    })
}
