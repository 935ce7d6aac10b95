//! Words that may stand beside a time and change nothing of it.
//!
//! Everything else in small letters is a doubt: a verb, an adverb or a condition may turn a wish into its opposite.

use std::{collections::HashSet, sync::LazyLock};

use crate::spoken_time::text::fold;

static FOLDED: LazyLock<HashSet<String>> = LazyLock::new(|| SAFE.split_ascii_whitespace().map(fold).collect());

/// Whether the word, in the spelling of `fold`, is known to change nothing.
pub(crate) fn is_safe(word: &str) -> bool {
    FOLDED.contains(word)
}

/// Articles and pronouns, politeness, wishes, the appointment itself, people, and what salons,
/// practices and garages do.
const SAFE: &str = "
    der die das den dem des ein eine einen einem einer eines the a an n ne nen s d t m ll re ve
    ich du er sie es wir ihr mich mir uns ihnen ihm ihn i you he she it we they me him us them man einer jemand
    mein meine meinen meinem meiner sein seine seinen ihre ihren ihrem unser unsere unseren dein deine my your his our their
    dieser diese dieses this that these those
    fur for um an am auf in im ins bei beim mit von vom zu zum zur nach aus of at on with by from to as per via
    so also dann denn da hier there here ja jo jep yes yeah ok okay gut good fine super prima toll great perfect perfekt
    bitte please gern gerne danke dankeschon thanks thank vielen dank many
    ach oh wait may might ah ahm ahem eh ehm em hm hmm mhm uh uhm um naja na tja well like halt eben mal einfach just only nur doch noch auch
    ganz etwas bisschen ein wenig vielleicht eventuell evtl maybe perhaps possibly moglich moglichst moglicherweise possible
    ideally idealerweise am besten liebsten best preferably prefer bevorzugt wenn if falls das geht ginge klappt passt passen
    works work would wurde wurden konnte konnten kann konnen konnt can could mochte mochten mocht mogen wurd
    hatte hatten hatt will wollen wollte want wants wanted wunsche wunscht wunschen wish hope hoping brauche brauchen braucht brauchte
    need needs needed suche looking look buchen book booking reservieren reserve vereinbaren machen make get give geben
    geb gibt gebt haben bekommen kriegen nehmen take nehme nehmt kommen komme kommt come coming vorbeikommen vorbei vorbeischauen
    gehen gehe go schedule set eintragen eintrag eingetragen dich notieren planen plan planned
    sagen wir say lets let anbieten offer was what wann when whenever ware waren are is ist sind be sei seien wird werden
    frei free available offen open noch irgendwas something anything irgendein platz plats slot spot zeit time uhrzeit
    termin termine terminwunsch appointment appointments appt slot wunschtermin treffen meeting visit besuch
    tag tages day days morgen woche week wochentag uhr clock oclock o rum herum ungefahr circa ca etwa gegen punkt genau exactly sharp
    egal gleich wieder again nachmittag herr frau herrn mr mrs ms dr
    haare haar haarschnitt haareschneiden schneiden schnitt farben farbe farbung strahnen fohnen waschen bart rasur rasieren trimmen
    hair haircut cut color colour wash trim beard shave dauerwelle beratung beratungsgesprach consultation
    reifenwechsel olwechsel inspektion tuv service untersuchung kontrolle vorsorge impfung zahnreinigung massage manikure
    pedikure kosmetik behandlung treatment checkup cleaning damenhaarschnitt herrenhaarschnitt herrenschnitt damenschnitt
    kinderhaarschnitt waschen legen spitzen ansatz
    kind kinder sohn tochter mann frau mutter vater oma opa freundin freund mama papa familie child kids son daughter husband wife
    mother father personen person leute people zwei drei beide both together zusammen fur alle us
    hallo hello hi hey guten moin servus gruss tschuss bye
    how about lets do does doing sounds sound down take taking takes chance fit puts put wie ob sieht aus recht tragen trage anmelden
    entweder either erst stutzen nochmal
    caller callers customer client kunde kundin anrufer anruferin requested requests request wishes
    name heisse spricht called calling speaking telefon nummer
    rein raus zusatzlich extra davon dafur darum dazu naturlich sicher sure gerade eigentlich eher am mindestens
    oder or und and u aber but weil because sowie bzw bis
    jetzt nun now heute neue neuer neuen neues new nachster freien
    erreichen klappen finden find gefunden sehen see guck gucken schauen schau check pruf
    dachte denke think thinking thought wondering frage fragen question ob whether
    euro eur preis kostet uns einmal once mal eins dienstleistung

";
