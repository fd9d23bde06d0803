//! Information elements and their names, generated from registry data
