//! The people who may sign in to the desk, and what each of them sees. They are kept in the stack's user pool; what they
//! see is in their groups.

use platform::{
    aws::SdkConfig,
    env::{self, EnvError},
    signed::{Service, ServiceError},
};
use scheduling::{ids::TenantId, personal::Personal};
use serde_json::{Value, json};
use store::{Sessions, StoreError};

/// What somebody sees: a group of the user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every tenant, and the system.
    Agency,
    /// One tenant.
    Tenant(TenantId),
}

/// Someone who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id at the pool.
    pub id: String,
    /// The name that is shown and recorded.
    pub name: Personal<String>,
    /// The address, to which codes are mailed.
    pub email: Personal<String>,
}

/// Why people could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The user pool failed.
    #[error(transparent)]
    Pool(#[from] ServiceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The environment lacks something.
    #[error(transparent)]
    Env(#[from] EnvError),
}

/// The people of a user pool.
#[derive(Debug, Clone)]
pub struct People {
    service: Service,
    pool: String,
    sessions: Sessions,
}

impl Access {
    const AGENCY: &str = "agency";
    const OF_TENANT: &str = "tenant.";

    /// The name of its group.
    pub fn group(&self) -> String {
        match self {
            Self::Agency => Self::AGENCY.to_owned(),
            Self::Tenant(tenant) => format!("{}{tenant}", Self::OF_TENANT),
        }
    }

    /// What the members of a group see. `None` if that is nothing of the desk.
    pub fn of_group(group: &str) -> Option<Self> {
        if group == Self::AGENCY {
            return Some(Self::Agency);
        }
        group.strip_prefix(Self::OF_TENANT).map(TenantId::new).map(Self::Tenant)
    }
}

impl Person {
    /// A person, who is called by the address if no name is known.
    pub fn new(id: String, name: Option<String>, email: String) -> Self {
        let name = name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
        Self { id, name: Personal::new(name), email: Personal::new(email) }
    }

    fn of(user: &Value) -> Option<Self> {
        let attributes = user["Attributes"].as_array()?;
        let named = |name: &str| {
            let found = attributes.iter().find(|attribute| attribute["Name"] == name)?;
            found["Value"].as_str().map(str::to_owned)
        };
        Some(Self::new(user["Username"].as_str()?.to_owned(), named("name"), named("email").unwrap_or_default()))
    }
}

impl People {
    /// The people of the user pool that the environment names.
    ///
    /// # Errors
    /// If it names none, or no table of sessions.
    pub fn from_env(config: &SdkConfig) -> Result<Self, PeopleError> {
        Ok(Self {
            service: Service::new(config, "cognito-idp")?,
            pool: env::required("USER_POOL")?,
            sessions: Sessions::from_env(config)?,
        })
    }

    /// Everybody who has this access.
    ///
    /// # Errors
    /// If the user pool fails.
    pub async fn with(&self, access: &Access) -> Result<Vec<Person>, ServiceError> {
        let mut found = Vec::new();
        let mut next = Value::Null;
        loop {
            let mut request = json!({"UserPoolId": self.pool, "GroupName": access.group(), "Limit": 60});
            if !next.is_null() {
                request["NextToken"] = next;
            }
            let page = match self.call("ListUsersInGroup", &request).await {
                // Nobody was invited yet.
                Err(ServiceError { code, .. }) if code == "ResourceNotFoundException" => return Ok(found),
                page => page?,
            };
            found.extend(page["Users"].as_array().into_iter().flatten().filter_map(Person::of));
            next = page["NextToken"].clone();
            if next.is_null() {
                return Ok(found);
            }
        }
    }

    /// Lets somebody sign in. No mail is sent. A person who was invited before gets this access as well.
    ///
    /// # Errors
    /// If the user pool fails. Inviting again completes what was begun.
    pub async fn invite(&self, access: &Access, name: &str, email: &str) -> Result<(), ServiceError> {
        let attribute = |name: &str, value: &str| json!({"Name": name, "Value": value});
        let user = json!({
            "UserPoolId": self.pool,
            "Username": email,
            "MessageAction": "SUPPRESS",
            "UserAttributes": [attribute("email", email), attribute("email_verified", "true"), attribute("name", name)],
        });
        match self.call("AdminCreateUser", &user).await {
            // Somebody of another salon, or who was withdrawn before.
            Err(ServiceError { code, .. }) if code == "UsernameExistsException" => {}
            created => drop(created?),
        }
        let group = json!({"UserPoolId": self.pool, "GroupName": access.group()});
        match self.call("CreateGroup", &group).await {
            Err(ServiceError { code, .. }) if code == "GroupExistsException" => {}
            created => drop(created?),
        }
        let mut member = group;
        member["Username"] = json!(email);
        self.call("AdminAddUserToGroup", &member).await.map(drop)
    }

    /// Withdraws an access of a person, and ends every session, so that the next page is refused.
    ///
    /// # Errors
    /// If the user pool or the store fails. Withdrawing again completes what was begun.
    pub async fn withdraw(&self, access: &Access, person: &str) -> Result<(), PeopleError> {
        let member = json!({"UserPoolId": self.pool, "GroupName": access.group(), "Username": person});
        self.call("AdminRemoveUserFromGroup", &member).await?;
        self.sign_out_everywhere(person).await
    }

    /// Ends every session of a person, at the user pool, too.
    ///
    /// # Errors
    /// If the user pool or the store fails.
    pub async fn sign_out_everywhere(&self, person: &str) -> Result<(), PeopleError> {
        self.sessions.end_all(person).await?;
        let user = json!({"UserPoolId": self.pool, "Username": person});
        self.call("AdminUserGlobalSignOut", &user).await?;
        Ok(())
    }

    async fn call(&self, operation: &str, request: &Value) -> Result<Value, ServiceError> {
        self.service.call(&format!("AWSCognitoIdentityProviderService.{operation}"), request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_group_says_what_its_members_see() {
        for access in [Access::Agency, Access::Tenant(TenantId::new("salon"))] {
            assert_eq!(Access::of_group(&access.group()), Some(access));
        }
        assert_eq!(Access::of_group("admins"), None);
    }

    #[test]
    fn a_person_without_a_name_is_called_by_the_address() {
        let person = Person::new("1".to_owned(), Some(" ".to_owned()), "lena@salon.example".to_owned());
        assert_eq!(person.name.reveal(), "lena");
    }
}
