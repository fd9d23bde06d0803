//! Reference pages that are derived from tables: `docs/reference/columns.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use weir_model::column::NullIf;
use weir_model::own::{self, PEN_WEIR};
use weir_model::{ColumnDef, Table};

const COLUMNS: &str = "docs/reference/columns.md";

/// Writes the pages.
pub fn generate() -> Result<()> {
    let path = Path::new(COLUMNS);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, columns_page()?).with_context(|| COLUMNS.to_owned())
}

/// Adds a finding for each page that its table has left behind.
pub fn check(found: &mut Vec<String>) -> Result<()> {
    let written = fs::read_to_string(COLUMNS).unwrap_or_default();
    if written != columns_page()? {
        found.push(format!("{COLUMNS}: differs from the column table: run `cargo xtask docs`"));
    }
    Ok(())
}

fn columns_page() -> Result<String> {
    let mut page = format!(
        "# Columns\n\n\
         Written by `cargo xtask docs` from `crates/weir-model/src/columns.rs`: change it there.\n\n\
         A field that an exporter did not send is null and left out of JSON; a field sent as 0 is 0, \
         except where *null if* says otherwise. Octets and packets are as exported: queries multiply \
         them by `sampling_rate`. Elements are written `enterprise/id`, IANA's without enterprise; the \
         first one carries the column out. `rev/` is the reverse enterprise 29305. Weir's own enterprise \
         is a placeholder, {PEN_WEIR} (`weir-model/src/own.rs`): every column of `flows` that is stored can travel \
         as that and its number too, and does where the element that stands first cannot hold a value.\n"
    );
    for table in Table::ALL {
        writeln!(page, "\n## {}\n", table.name())?;
        writeln!(page, "| no. | column | type | unit | group | role | elements | what it is |")?;
        writeln!(page, "|---|---|---|---|---|---|---|---|")?;
        for def in table.columns() {
            writeln!(page, "{}", row(table, def))?;
        }
    }
    Ok(page)
}

fn row(table: Table, def: &ColumnDef) -> String {
    let own = own::element(table, def).filter(|_| def.from.is_empty());
    let elements: Vec<String> = def
        .from
        .iter()
        .chain(&own)
        .map(|key| match key.pen {
            0 => key.id.to_string(),
            29_305 => format!("rev/{}", key.id),
            pen => format!("{pen}/{}", key.id),
        })
        .collect();
    let mut doc = def.doc.replace('|', "\\|");
    if let Some(null) = def.null_if {
        doc.push_str(match null {
            NullIf::Zero => "; null if 0",
            NullIf::Empty => "; null if empty",
            NullIf::AllZero => "; null if all zero",
        });
    }
    if !def.stored {
        doc.push_str("; shown by `weir decode`, not stored");
    }
    let (id, name, ty, unit) = (def.id.0, def.name, def.ty.name(), def.unit.name());
    let (group, role, from) = (def.group.name(), def.role.name(), elements.join(", "));
    format!("| {id} | `{name}` | {ty} | {unit} | {group} | {role} | {from} | {doc} |")
}
