//! The history of an appointment in words: what happened, as the people of a salon say it.

use scheduling::{
    appointment::{CancelReason, Cause, ChangeKind, Transition},
    assignment::StrategyName,
    failure::Category,
    request::Intent,
};

use crate::{Language, reason};

impl Language {
    /// What happened in a transition. `staff` is the name of who does the appointment now, if known.
    pub fn happened(self, transition: &Transition, staff: Option<&str>) -> String {
        let somebody = self.choose("jemand aus dem Team", "somebody of the team");
        let staff = staff.unwrap_or(somebody);
        let text = |german: &str, english: &str| self.choose(german, english).to_owned();
        match &transition.cause {
            Cause::Requested { .. } => text("Anruf: ein Termin ist gewünscht.", "Call: an appointment is wanted."),
            Cause::UnusableStart(problem) => {
                let (german, english) = reason::start(*problem);
                format!("{} {}.", self.choose("Anruf:", "Call:"), self.choose(german, english))
            }
            Cause::RequestedFromPerson(intent) => {
                let (german, english) = reason::intent_reason(*intent);
                format!("{} {}.", self.choose("Anruf:", "Call:"), self.choose(german, english))
            }
            Cause::Corrected => {
                text("Die Auswertung des Anrufs wurde berichtigt.", "The call's analysis was corrected.")
            }
            Cause::CorrectionNoted => text(
                "Eine spätere Auswertung des Anrufs sagt etwas anderes.",
                "A later analysis of the call says otherwise.",
            ),
            Cause::Settled => text(
                "Zeit, Leistung oder Person festgelegt und eingetragen.",
                "Time, service or person settled, and booked.",
            ),
            Cause::CalledBack => text("Zurückgerufen.", "Called back."),
            Cause::NotReached => text("Angerufen und nicht erreicht.", "Called and not reached."),
            Cause::Noted => text("Notiz.", "Note."),
            Cause::Proposed => text("Freie Zeiten vorgemerkt.", "Free slots kept."),
            Cause::Notified => text("Das Team wurde benachrichtigt.", "The team was notified."),
            Cause::Imported => text("Aus einem anderen System übernommen.", "Imported from another system."),
            Cause::Claimed | Cause::LeaseExpired => text("Wird bei Cal.com eingetragen.", "Being booked at Cal.com."),
            Cause::Booked => text("Cal.com hat bestätigt.", "Cal.com confirmed."),
            Cause::Recovered => text(
                "Der Termin stand schon bei Cal.com und wurde gefunden.",
                "It was booked at Cal.com already, and found there.",
            ),
            Cause::Adopted => {
                text("Im Gespräch gebucht und bei Cal.com gefunden.", "Booked in the call, and found at Cal.com.")
            }
            Cause::NotBookedInCall => text("Im Gespräch wurde nichts gebucht.", "Nothing was booked in the call."),
            Cause::DuplicateCancelled => {
                text("Eine doppelte Buchung wurde abgesagt.", "A duplicate booking was cancelled.")
            }
            Cause::Failed(category) | Cause::ChangeFailed(category) | Cause::NotVerified(category) => {
                let words = self.failure(*category);
                format!("{} {words}.", self.choose("Ging nicht:", "It failed:"))
            }
            Cause::Assigned(strategy) => {
                let how = match strategy {
                    StrategyName::HostMapping => {
                        self.choose("die Person bei Cal.com ist bekannt", "the person at Cal.com is known")
                    }
                    StrategyName::HostEmail => {
                        self.choose("gleiche E-Mail wie bei Cal.com", "the same email as at Cal.com")
                    }
                    StrategyName::EventTypeOwner => self.choose("eigene Terminart", "an event type of their own"),
                    StrategyName::Operator => self.choose("von Hand", "by hand"),
                    StrategyName::Imported => self.choose("übernommen", "imported"),
                };
                match self {
                    Self::German => format!("{staff} macht es: {how}."),
                    Self::English => format!("{staff} does it: {how}."),
                }
            }
            Cause::Unassigned(unassigned) => {
                let (german, english) = reason::unassigned(*unassigned);
                format!("{}.", capital(self.choose(german, english)))
            }
            Cause::HostsRefreshed | Cause::Verified => text("Bei Cal.com nachgesehen.", "Looked up at Cal.com."),
            Cause::Rescheduled => text("Bei Cal.com verschoben.", "Moved at Cal.com."),
            Cause::Stalled => {
                text("Blieb wegen eines technischen Problems liegen.", "Stopped because of a technical problem.")
            }
            Cause::Resumed => text("Noch einmal versucht.", "Tried once more."),
            Cause::Reopened => text(
                "Wieder gewünscht, nachdem die Buchung abgesagt war.",
                "Wanted again after its booking was cancelled.",
            ),
            Cause::NotBooked => {
                text("Bei Cal.com steht nichts, sagt das Team.", "Cal.com holds nothing, the team says.")
            }
            Cause::AccountPaused => {
                text("Wartet, bis Cal.com den Schlüssel annimmt.", "Waits until Cal.com accepts the key.")
            }
            Cause::Restored => text("Aus einer Sicherung zurückgeholt.", "Restored from a backup."),
            Cause::HostReassigned => text("Bei Cal.com jemand anderem gegeben.", "Given to somebody else at Cal.com."),
            Cause::AwaitingHost => text("Wartet auf die Bestätigung bei Cal.com.", "Waits to be confirmed at Cal.com."),
            Cause::ConfirmedByHost => text("Bei Cal.com bestätigt.", "Confirmed at Cal.com."),
            Cause::RequestedAgain => {
                text("Noch ein Anruf zum selben Termin.", "Another call for the same appointment.")
            }
            Cause::Completed => text("Hat stattgefunden.", "Took place."),
            Cause::NoShow => text("Nicht erschienen.", "Did not come."),
            Cause::Cancelled(why) => format!("{}.", self.closed(*why)),
            Cause::ChangeRequested(kind) => match (kind, transition.is_manual()) {
                (ChangeKind::Move, true) => text("Wird verschoben.", "Being moved."),
                (ChangeKind::Cancel, true) => text("Wird abgesagt.", "Being cancelled."),
                (ChangeKind::Move, false) => text("Anruf: möchte verschieben.", "Call: wants to move it."),
                (ChangeKind::Cancel, false) => text("Anruf: möchte absagen.", "Call: wants to cancel it."),
            },
            Cause::ChangeClaimed => text("Die Änderung geht an Cal.com.", "The change is sent to Cal.com."),
            Cause::ChangeDeclined => text("Die neue Zeit war nicht frei.", "The new time was not free."),
            Cause::Moved => text("Verschoben, Cal.com hat bestätigt.", "Moved; Cal.com confirmed."),
            Cause::MessageAdded => text("Noch eine Nachricht am Telefon.", "Another message on the phone."),
            Cause::Erased => text("Kundendaten gelöscht.", "The customer's data was erased."),
            Cause::Other(_) => text("Eine neuere Version hat etwas geändert.", "A newer version changed something."),
        }
    }

    /// Why an appointment does not take place.
    pub fn closed(self, why: CancelReason) -> &'static str {
        match why {
            CancelReason::Past => self.choose("Verfallen: nie eingetragen", "Expired: never booked"),
            CancelReason::CancelledAtCalcom => self.choose("Bei Cal.com abgesagt", "Cancelled at Cal.com"),
            CancelReason::Erased => self.choose("Kundendaten gelöscht", "Customer erased"),
            CancelReason::SettledOtherwise => self.choose("Anders erledigt", "Settled in another way"),
            CancelReason::NotWanted => self.choose("Kommt nicht mehr in Frage", "No longer wanted"),
            CancelReason::NotReached => self.choose("Nicht erreicht", "Not reached"),
            CancelReason::Mistaken => self.choose("War kein Terminwunsch, oder doppelt", "Not wished, or a duplicate"),
            CancelReason::NotFree => self.choose("War nicht frei", "Was not free"),
            CancelReason::ByCustomer => self.choose("Abgesagt", "Cancelled"),
        }
    }

    /// Why Cal.com did not do it.
    pub fn failure(self, category: Category) -> &'static str {
        let (german, english) = reason::failure(category);
        self.choose(german, english)
    }

    /// What a caller wants.
    pub fn intent(self, intent: Intent) -> &'static str {
        let (german, english) = reason::intent_reason(intent);
        self.choose(german, english)
    }
}

/// With a capital at the beginning.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
