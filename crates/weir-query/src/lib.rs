//! Filter language, logical query, planner and the embedded engine
