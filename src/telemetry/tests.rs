use super::escape::escape;

#[test]
fn an_event_stays_one_line_whatever_it_carries() {
    let forged = "name=\"a\r\nERROR forged\u{1b}[31m\u{9b}\u{2028}\u{202e}\u{7f}\"\n";
    assert_eq!(
        escape(forged),
        "name=\"a\\u000d\\u000aERROR forged\\u001b[31m\\u009b\\u2028\\u202e\\u007f\"\n"
    );
}

#[test]
fn other_scripts_stay_readable() {
    assert_eq!(escape("Größe 東京 🗄\n"), "Größe 東京 🗄\n");
}
