//! The macro that turns one list of keys into the section structs, the table that messages and
//! the generated default file are made from, and the setter that the layers call.

use serde::Deserialize;

/// One key of the configuration, as data.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Section and name: `http.listen`.
    pub path: &'static str,
    /// The default as TOML, as `print-default` shows it.
    pub default: &'static str,
    /// Documentation, one line each.
    pub doc: &'static [&'static str],
}

/// One section, as data.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Name in the file.
    pub name: &'static str,
    /// Documentation, one line each.
    pub doc: &'static [&'static str],
    /// Its keys in the order of the file.
    pub keys: &'static [Key],
}

/// Reads `value` as a `T`; text falls back to TOML inside it, so that `--set a.b=3` and
/// `WEIR_A__B=3` can give numbers, flags and arrays.
pub fn read<T: for<'de> Deserialize<'de>>(value: toml::Value, is_text: bool) -> Result<T, String> {
    let parsed = match value.as_str().filter(|_| is_text) {
        Some(text) => toml::from_str::<toml::Table>(&format!("v = {text}"))
            .ok()
            .and_then(|mut table| table.remove("v"))
            .and_then(|value| T::deserialize(value).ok()),
        None => None,
    };
    match parsed {
        Some(value) => Ok(value),
        None => T::deserialize(value).map_err(|error| error.message().to_owned()),
    }
}

/// Reads a default, which is TOML that a test has checked.
pub fn default<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    read(toml::Value::String(text.to_owned()), true)
        .expect("every default in the table is read by a test")
}

macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $struct:ident {
            $( $(#[doc = $doc:literal])+ $key:ident: $ty:ty = $default:literal; )*
        }
    )*) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq)]
            pub struct $struct { $(pub $key: $ty),* }

            impl Default for $struct {
                fn default() -> Self {
                    Self { $($key: $crate::config::keys::default($default)),* }
                }
            }
        )*

        /// Everything that can be configured. Components get the policy of their own section.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Config { $(pub $section: $struct),* }

        /// The sections and their keys as data.
        pub const SECTIONS: &[$crate::config::keys::Section] = &[$(
            $crate::config::keys::Section {
                name: stringify!($section),
                doc: &[$($section_doc),+],
                keys: &[$($crate::config::keys::Key {
                    path: concat!(stringify!($section), ".", stringify!($key)),
                    default: $default,
                    doc: &[$($doc),+],
                }),*],
            }
        ),*];

        impl Config {
            /// Sets the key at `path`; `Ok(false)` when there is no such key.
            pub fn set(
                &mut self, path: &str, value: toml::Value, is_text: bool,
            ) -> Result<bool, String> {
                $($(
                    if path == concat!(stringify!($section), ".", stringify!($key)) {
                        self.$section.$key = $crate::config::keys::read(value, is_text)?;
                        return Ok(true);
                    }
                )*)*
                Ok(false)
            }
        }
    };
}
pub(crate) use sections;
