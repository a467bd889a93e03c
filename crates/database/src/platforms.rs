//! Table `platforms`.

use mfh_types::{Platform, PlatformId};

use crate::expression::Condition;
use crate::table::{Query, Table, text};
use crate::{Database, DatabaseError};

/// What became of a seeded platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upsert {
    /// It was new.
    Created,
    /// Its content changed.
    Updated,
    /// Its content was the same; nothing was written.
    Unchanged,
}

/// Platforms.
#[derive(Debug, Clone, Copy)]
pub struct Platforms<'a>(pub(crate) &'a Database);

impl<'a> Platforms<'a> {
    fn table(self) -> Table<'a> {
        self.0.table(&self.0.tables.platforms, &["platform_id"])
    }

    /// The platform of this id.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn get(&self, id: &PlatformId) -> Result<Option<Platform>, DatabaseError> {
        self.table().get(&[id.as_str()]).await
    }

    /// The platform of this slug.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn by_slug(&self, slug: &str) -> Result<Option<Platform>, DatabaseError> {
        if slug.is_empty() {
            return Ok(None);
        }
        let query = Query::index("SlugIndex", "slug", slug);
        let found = self.table().query_all::<Platform>(&query).await?;
        Ok(found.into_iter().next())
    }

    /// The platform that an address names by its id or slug.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn resolve(&self, id_or_slug: &str) -> Result<Option<Platform>, DatabaseError> {
        let Ok(id) = PlatformId::parse(id_or_slug) else {
            return Ok(None);
        };
        if let Some(platform) = self.get(&id).await? {
            return Ok(Some(platform));
        }
        self.by_slug(id.body()).await
    }

    /// All platforms, by name.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn list(&self) -> Result<Vec<Platform>, DatabaseError> {
        let mut platforms = self.table().scan_all::<Platform>().await?;
        platforms.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(platforms)
    }

    /// Stores a platform; its `created_at` is kept, and nothing is written when its content is the same.
    ///
    /// # Errors
    /// The table cannot be written, or another seeding runs at the same time.
    pub async fn upsert(&self, platform: &Platform) -> Result<Upsert, DatabaseError> {
        let table = self.table();
        let stored = table.get_item(&[platform.platform_id.as_str()]).await?;
        let Some(item) = stored else {
            return self.replace(platform, table.absent(), Upsert::Created).await;
        };
        // As it was written: other writers may have used another precision.
        let seen = text(&item, "updated_at").map(str::to_owned);
        let stored: Platform = table.decode(item)?;
        let next = Platform {
            created_at: stored.created_at,
            ..platform.clone()
        };
        let same = Platform {
            updated_at: stored.updated_at,
            ..next.clone()
        } == stored;
        if same {
            return Ok(Upsert::Unchanged);
        }
        let unchanged = Condition::new("#updated_at = :seen").bind("seen", seen);
        self.replace(&next, unchanged, Upsert::Updated).await
    }

    async fn replace(
        &self,
        platform: &Platform,
        condition: Condition,
        outcome: Upsert,
    ) -> Result<Upsert, DatabaseError> {
        let table = self.table();
        if table.put(table.encode(platform)?, condition).await? {
            Ok(outcome)
        } else {
            Err(DatabaseError::Conflict)
        }
    }
}
