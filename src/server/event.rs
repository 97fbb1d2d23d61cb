//! What the loop waits for, and the numbers by which `mio` knows it.

use mio::Token;

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Another thread has something for the loop.
    Wake,
    /// A signal came.
    Signal,
    /// Secondaries answer announcements.
    Notify,
    /// The UDP socket of a listener.
    Udp(usize),
    /// The TCP socket of a listener.
    Accept(usize),
    /// A connection.
    Connection(usize),
}

impl Event {
    /// Tokens from here on are for listeners.
    const LISTENERS_FROM: usize = 3;
    /// Tokens below this are for listeners; connections come after, so that neither has to know
    /// how many there are of the other.
    const CONNECTIONS_FROM: usize = 1 << 24;

    /// The number by which `mio` knows it.
    pub(super) fn token(self) -> Token {
        Token(match self {
            Event::Wake => 0,
            Event::Signal => 1,
            Event::Notify => 2,
            Event::Udp(index) => Event::LISTENERS_FROM + 2 * index,
            Event::Accept(index) => Event::LISTENERS_FROM + 2 * index + 1,
            Event::Connection(key) => Event::CONNECTIONS_FROM + key,
        })
    }
}

impl From<Token> for Event {
    fn from(Token(number): Token) -> Event {
        match number {
            0 => Event::Wake,
            1 => Event::Signal,
            2 => Event::Notify,
            _ if number >= Event::CONNECTIONS_FROM => {
                Event::Connection(number - Event::CONNECTIONS_FROM)
            }
            _ => {
                let number = number - Event::LISTENERS_FROM;
                if number.is_multiple_of(2) {
                    Event::Udp(number / 2)
                } else {
                    Event::Accept(number / 2)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_token() {
        let all = [Event::Wake, Event::Signal, Event::Notify, Event::Udp(0), Event::Accept(0)];
        let more = [Event::Udp(7), Event::Accept(7), Event::Connection(0), Event::Connection(9)];
        for event in all.into_iter().chain(more) {
            assert_eq!(Event::from(event.token()), event);
        }
    }
}
