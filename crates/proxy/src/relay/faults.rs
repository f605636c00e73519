//! The faults of a connection: begun with it, told of, and carried out where they end it.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use msnp::Direction;
use socket2::SockRef;
use tokio::net::TcpStream;
use tracing::{debug, info};

use super::Relay;
use crate::fault::{News, Stage, Strike};
use crate::observer::Event;

impl Relay {
    /// Begins the faults of the configuration that affect this connection.
    pub(super) fn begin_faults(&mut self) {
        let faults = &self.engine.settings.faults;
        for direction in Direction::BOTH.into_iter().filter(|_| !faults.is_empty()) {
            self.lanes[direction.index()].faults = Stage::of(faults, &self.connection, direction);
        }
    }

    /// Carries out what faults make of the connection now, and tells of it.
    pub(super) fn suffer_faults(&mut self, sockets: &[TcpStream; 2], now: Instant) {
        // twice, since a fault that closes the connection may end the wait of one in the other direction
        for direction in Direction::BOTH.into_iter().chain(Direction::BOTH) {
            self.suffer(direction, sockets, now);
        }
    }

    fn suffer(&mut self, direction: Direction, sockets: &[TcpStream; 2], now: Instant) {
        let lane = &mut self.lanes[direction.index()];
        if lane.faults.is_none() || lane.shut {
            return;
        }
        let lost = lane.strike(now).unwrap_or(0);
        let news = lane.faults.as_mut().map(|stage| stage.news()).unwrap_or_default();
        for news in news {
            self.tell_of_fault(direction, &news, lost);
            let Some(strike) = news.strike else { continue };
            self.forget(direction, Arc::clone(&news.name));
            match strike {
                Strike::Cut => {}
                Strike::Close => self.end("proxy", Some(format!("closed by {:?}", &*news.name))),
                Strike::Reset => {
                    self.end("proxy", Some(format!("reset by {:?}", &*news.name)));
                    self.reset(sockets);
                }
            }
        }
    }

    /// Ends both sides as a peer that crashed would: what is under way is lost.
    fn reset(&mut self, sockets: &[TcpStream; 2]) {
        for socket in sockets {
            if let Err(error) = SockRef::from(socket).set_linger(Some(Duration::ZERO)) {
                debug!(connection = self.connection.number, %error, "cannot reset: closed instead");
                // it may be closed already
                let _ = SockRef::from(socket).shutdown(Shutdown::Both);
            }
        }
        self.abandon_all("the connection was reset");
    }

    fn tell_of_fault(&mut self, direction: Direction, news: &News, lost: usize) {
        let (connection, from, to) = (self.connection.number, direction.sender(), direction.opposite().sender());
        let News { name, kind, .. } = news;
        let text = match news.strike {
            None => format!("fault {name:?} begins: {kind}, towards the {to}"),
            Some(strike) => {
                let what = match strike {
                    Strike::Cut => "stream cut off",
                    Strike::Close => "connection closed",
                    Strike::Reset => "connection reset",
                };
                info!(connection, fault = %name, kind = kind.name(), from, lost, "{what} by a fault");
                format!("fault {name:?}: {kind}: {what}, {lost} bytes not sent to the {to}")
            }
        };
        self.report(Event::Note(text.into()));
    }
}
