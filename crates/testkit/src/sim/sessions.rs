//! What happens to durable sessions in a run, besides that their readers come and go.

use http::HeaderMap;

use super::reader::Reader;
use super::world::World;

impl World {
    /// A second connection becomes a session; the first is told, and nothing more.
    pub(super) fn take_over(&mut self, index: usize) -> Result<(), String> {
        if self.readers[index].session.is_none() {
            return Ok(());
        }
        let Some(mut older) = self.readers[index].connection.take() else { return Ok(()) };
        self.connect(index)?;
        // A poll that has its answer is no longer anybody.
        if older.client.is_done() {
            self.rooms.leave(&mut older.client);
            return Ok(());
        }
        older.tape.said.clear();
        older.tape.full_at = 0;
        self.rooms.dispatch();
        while self.rooms.house(|house| older.client.deliver(house, &mut older.tape)) {}
        let said: String = older.tape.said.iter().map(|said| format!("{said:?}")).collect();
        self.rooms.leave(&mut older.client);
        self.report.takeovers += 1;
        match said.contains("session_taken_over") && !said.contains("\\\"n\\\"") {
            true => Ok(()),
            false => Err(format!("over {}, whoever lost its session was told: {said}", older.via)),
        }
    }

    /// A session acknowledges what it has heard.
    pub(super) fn acknowledge(&mut self, index: usize) -> Result<(), String> {
        let Reader { session: Some(session), position: Some(position), .. } = &self.readers[index]
        else {
            return Ok(());
        };
        let path = format!("/s/{}/ack", session.name.replace(' ', "%20"));
        let response = self.post(&path, HeaderMap::new(), position.to_string().into())?;
        if response.status != http::StatusCode::OK {
            return Err(format!("an acknowledgement was refused: {:?}", response.body));
        }
        self.readers[index].acknowledged();
        Ok(())
    }
}
