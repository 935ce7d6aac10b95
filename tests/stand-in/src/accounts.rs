//! What a key may see of people, teams and event types.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    booking::display_email,
    call::{After, Call},
    event_type::{EventType, Scheduling, username},
    faults::RequestKind,
    refusal::{Answer, Refusal},
    world::Team,
};

pub(crate) async fn me(call: &Call) -> Answer {
    let after = call.meet_fault(0, RequestKind::Me).await?;
    let user = call.signed_in()?;
    after.or_answer(
        StatusCode::OK,
        json!({
            "id": user.id, "email": display_email(&user.email), "name": user.name, "avatarUrl": null, "bio": null,
            "timeFormat": 12, "defaultScheduleId": 1, "weekStart": "Monday", "timeZone": "Europe/Berlin",
            "username": username(user), "organizationId": null
        }),
    )
}

pub(crate) async fn event_types(call: &Call) -> Answer {
    let after = call.meet_fault(0, RequestKind::Other).await?;
    let user = call.signed_in()?;
    let world = call.stand_in.world();
    let is_theirs = |event_type: &&EventType| {
        event_type.scheduling() == Scheduling::Personal
            && event_type.hosts.first().is_some_and(|host| host.id == user.id)
    };
    let shown: Vec<Value> = world.event_types.values().filter(is_theirs).map(|it| it.shown(None)).collect();
    after.or_answer(StatusCode::OK, json!(shown))
}

pub(crate) async fn teams(call: &Call) -> Answer {
    let after = call.meet_fault(0, RequestKind::Other).await?;
    let user = call.signed_in()?;
    let world = call.stand_in.world();
    let teams = world.teams.values().filter(|team| world.role(user, team.id).is_some());
    let shown: Vec<Value> = teams
        .map(|team| {
            json!({
                "hideBookATeamMember": false, "timeZone": "Europe/Berlin", "weekStart": "Sunday", "id": team.id,
                "parentId": null, "name": team.name, "slug": slug(team), "logoUrl": null, "calVideoLogo": null,
                "appLogo": null, "appIconLogo": null, "bio": null, "hideBranding": false, "isOrganization": false,
                "isPrivate": false, "theme": null, "brandColor": null, "darkBrandColor": null, "bannerUrl": null,
                "timeFormat": null
            })
        })
        .collect();
    after.or_answer(StatusCode::OK, json!(shown))
}

pub(crate) async fn team_event_types(call: &Call, team: u64) -> Answer {
    let after = call.meet_fault(0, RequestKind::Other).await?;
    let user = call.signed_in()?;
    let world = call.stand_in.world();
    if world.role(user, team).is_none() {
        return Err(Refusal::forbidden(format!(
            "RolesGuard - user with id={} does not have the minimum required role=TEAM_MEMBER within team with id={team}.",
            user.id
        )));
    }
    let shown_team = world.teams.get(&team).map(|team| {
        json!({"id": team.id, "name": team.name, "slug": slug(team), "bannerUrl": null, "logoUrl": null,
               "weekStart": "Sunday", "brandColor": null, "darkBrandColor": null, "theme": null})
    });
    let of_team = world.event_types.values().filter(|event_type| event_type.team == Some(team));
    let shown: Vec<Value> = of_team.map(|it| it.shown(shown_team.clone())).collect();
    after.or_answer(StatusCode::OK, json!(shown))
}

pub(crate) async fn team_event_type(call: &Call, team: u64, id: u64) -> Answer {
    call.signed_in()?;
    let world = call.stand_in.world();
    let found = world.event_types.get(&id).filter(|event_type| event_type.team == Some(team));
    let found = found.ok_or_else(|| Refusal::not_found(format!("Event type with id {id} not found.")))?;
    After::Nothing.or_answer(StatusCode::OK, found.shown(Some(json!({"id": team}))))
}

pub(crate) async fn patch_team_event_type(call: &Call, team: u64, id: u64) -> Answer {
    require_admin(call, team)?;
    let body = call.json()?;
    if let Some(event_type) = call.stand_in.world().event_types.get_mut(&id)
        && let Some(is_selectable) = body["rrHostSubsetEnabled"].as_bool()
    {
        event_type.is_host_selectable = is_selectable;
    }
    team_event_type(call, team, id).await
}

pub(crate) async fn memberships(call: &Call, team: u64) -> Answer {
    let after = call.meet_fault(0, RequestKind::Other).await?;
    require_admin(call, team)?;
    let world = call.stand_in.world();
    let members = world.teams.get(&team).map(|team| team.members.clone()).unwrap_or_default();
    let shown = members.iter().enumerate().filter_map(|(at, member)| {
        let user = world.users.get(&member.user)?;
        Some(json!({
            "id": at + 1, "userId": user.id, "teamId": team, "accepted": true, "role": member.role,
            "disableImpersonation": false,
            "user": {"avatarUrl": null, "username": username(user), "name": user.name, "email": user.email, "bio": null}
        }))
    });
    let number =
        |name: &str, default: usize| call.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let page: Vec<Value> = shown.skip(number("skip", 0)).take(number("take", 250)).collect();
    after.or_answer(StatusCode::OK, json!(page))
}

fn require_admin(call: &Call, team: u64) -> Result<(), Refusal> {
    let user = call.signed_in()?;
    if call.stand_in.world().is_admin(user, team) {
        return Ok(());
    }
    Err(Refusal::forbidden(format!(
        "RolesGuard - user with id={} does not have the minimum required role=TEAM_ADMIN within team with id={team}.",
        user.id
    )))
}

fn slug(team: &Team) -> String {
    team.name.to_lowercase().replace(' ', "-")
}
