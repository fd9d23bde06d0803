use super::*;

#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Label for Side {
    const NAME: &'static str = "side";
    const ALL: &'static [Side] = &[Side::Left, Side::Right];
    fn index(self) -> usize {
        self as usize
    }
    fn value(self) -> &'static str {
        ["left", "right"][self as usize]
    }
}

#[test]
fn text_has_help_type_and_every_value_of_a_closed_label() {
    let registry = Registry::new();
    registry.counter_by::<Side>("weir_test_turns_total", "Turns\nby side").of(Side::Right).add(3);
    registry.gauge("weir_test_depth", "Depth", &[("queue", "a\"b\\")]).set(1.5);
    registry.on_collect(|out| out.counter("weir_test_late_total", "Late", &[], 9));
    assert_eq!(
        registry.render(),
        "# HELP weir_test_depth Depth\n\
         # TYPE weir_test_depth gauge\n\
         weir_test_depth{queue=\"a\\\"b\\\\\"} 1.5\n\
         # HELP weir_test_late_total Late\n\
         # TYPE weir_test_late_total counter\n\
         weir_test_late_total 9\n\
         # HELP weir_test_turns_total Turns\\nby side\n\
         # TYPE weir_test_turns_total counter\n\
         weir_test_turns_total{side=\"left\"} 0\n\
         weir_test_turns_total{side=\"right\"} 3\n"
    );
}

#[test]
fn histogram_buckets_are_cumulative_and_bounds_inclusive() {
    let registry = Registry::new();
    let histogram = registry.histogram("weir_test_seconds", "Time", &[("op", "x")], &[0.1, 1.0]);
    for value in [0.1, 0.5, 0.5, 7.0] {
        histogram.observe(value);
    }
    assert_eq!((histogram.count(), histogram.sum()), (4, 8.1));
    assert_eq!(
        registry.render(),
        "# HELP weir_test_seconds Time\n\
         # TYPE weir_test_seconds histogram\n\
         weir_test_seconds_bucket{op=\"x\",le=\"0.1\"} 1\n\
         weir_test_seconds_bucket{op=\"x\",le=\"1\"} 3\n\
         weir_test_seconds_bucket{op=\"x\",le=\"+Inf\"} 4\n\
         weir_test_seconds_sum{op=\"x\"} 8.1\n\
         weir_test_seconds_count{op=\"x\"} 4\n"
    );
}

#[test]
fn the_same_name_and_labels_share_a_cell_and_another_kind_does_not() {
    let registry = Registry::new();
    let first = registry.counter("weir_test_total", "Test", &[("a", "1")]);
    registry.counter("weir_test_total", "Test", &[("a", "1")]).add(2);
    registry.counter("weir_test_total", "Test", &[("a", "2")]).add(5);
    registry.gauge("weir_test_total", "Test", &[("a", "1")]).set(7.0);
    assert_eq!(first.get(), 2);
    assert!(!registry.render().contains('7'));
}
