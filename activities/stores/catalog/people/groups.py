"""Groups and their members."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Select, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.errors import NameInUse, NotFound
from activities.stores.catalog.engine import Engine, Transaction, repeats_conflicts
from activities.stores.catalog.people.names import MAX_GROUP_NAME, group_name, spelt_group
from activities.stores.catalog.people.records import Group, GroupSource
from activities.stores.catalog.people.tables import GrantRow, GroupMemberRow, GroupRow, UserRow
from activities.stores.catalog.people.users import user_row


@repeats_conflicts
class Groups:
    """Groups in the catalogue. Methods raise NotFound for a group or user that does not exist."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create(self, name: str, actor: str, source: GroupSource = "local") -> Group:
        """Adds a group. Raises InvalidName and NameInUse."""
        row = GroupRow(name=group_name(name), source=source, created_by=actor)
        try:
            async with self._engine.write() as session:
                session.add(row)
                await session.flush()
                session.audit(actor, "group.create", None, row.id, name=row.name, source=source)
        except IntegrityError as exc:
            raise NameInUse(name=name) from exc
        return _record(row, 0)

    async def get(self, name: str) -> Group:
        """A group by name."""
        async with self._engine.read() as session:
            row = await group_row(session, name)
            members = GroupMemberRow.group_id == row.id
            count = await session.scalar(select(func.count()).select_from(GroupMemberRow).where(members))
        return _record(row, count or 0)

    async def page(self, after: str | None, limit: int) -> list[Group]:
        """At most ``limit`` groups ordered by name, after the name ``after``."""
        query = _counted().order_by(GroupRow.name).limit(limit)
        query = query.where(GroupRow.name > after) if after else query
        async with self._engine.read() as session:
            return [_record(row, count) for row, count in await session.execute(query)]

    async def members(self, name: str) -> list[str]:
        """The names of the members of a group."""
        async with self._engine.read() as session:
            row = await group_row(session, name)
            query = select(UserRow.name).join(GroupMemberRow, GroupMemberRow.user_id == UserRow.id)
            return list(await session.scalars(query.where(GroupMemberRow.group_id == row.id).order_by(UserRow.name)))

    async def remove(self, name: str, actor: str) -> None:
        """Removes a group with its grants."""
        async with self._engine.write() as session:
            row = await group_row(session, name, lock=True)
            of_it = (GrantRow.subject_kind == "group", GrantRow.subject_id == row.id)
            await session.execute(delete(GrantRow).where(*of_it))
            await session.execute(delete(GroupMemberRow).where(GroupMemberRow.group_id == row.id))
            session.audit(actor, "group.remove", None, row.id, name=row.name)
            await session.delete(row)

    async def add_member(self, name: str, user: str, actor: str) -> None:
        """Adds a user to a group; nothing happens if it is a member."""
        async with self._engine.write() as session:
            group = await group_row(session, name, lock=True)
            member = await user_row(session, user, lock=True)  # it may be removed now
            if await session.get(GroupMemberRow, (group.id, member.id)) is None:
                session.add(GroupMemberRow(group_id=group.id, user_id=member.id))
                session.audit(actor, "group.add-member", None, group.id, name=group.name, user=member.name)

    async def remove_member(self, name: str, user: str, actor: str) -> None:
        """Takes a user out of a group; nothing happens if it is no member."""
        async with self._engine.write() as session:
            group, member = await group_row(session, name, lock=True), await user_row(session, user)
            row = await session.get(GroupMemberRow, (group.id, member.id))
            if row is not None:
                await session.delete(row)
                session.audit(actor, "group.remove-member", None, group.id, name=group.name, user=member.name)

    async def set_external(self, user_id: str, names: Iterable[str], actor: str) -> None:
        """Makes a user a member of exactly these external groups, which are created if need be.

        Memberships in local groups stay, and no provider makes somebody a member of a local group.
        """
        wanted = {name for name in names if name.strip("/ ")}
        async with self._engine.write() as session:
            known = await session.scalars(select(GroupRow).where(GroupRow.external_name.in_(wanted)))
            rows = {row.external_name: row for row in known}
            for name in sorted(wanted - rows.keys()):
                found = await _external_row(session, name, actor)
                rows |= {name: found} if found is not None else {}
            external = {row.id: row for row in rows.values()}
            query = select(GroupMemberRow, GroupRow).join(GroupRow, GroupRow.id == GroupMemberRow.group_id)
            query = query.where(GroupMemberRow.user_id == user_id, GroupRow.source == "external")
            present = {group.id: (member, group) for member, group in await session.execute(query)}
            user = await session.get(UserRow, user_id)
            name = user.name if user else ""
            for id, row in external.items():
                if id not in present:
                    session.add(GroupMemberRow(group_id=id, user_id=user_id))
                    session.audit(actor, "group.add-member", None, id, name=row.name, user=name)
            for id, (member, group) in present.items():
                if id not in external:
                    await session.delete(member)
                    session.audit(actor, "group.remove-member", None, id, name=group.name, user=name)


async def _external_row(session: Transaction, external_name: str, actor: str) -> GroupRow | None:
    """The new row of a provider's group; None where a local group has its name.

    A path becomes a name with dots. Where another group of the provider has that name, part of a hash tells them apart.
    """
    name = group_name(external_name.strip("/").replace("/", "."))
    row = await session.scalar(select(GroupRow).where(GroupRow.name == name))
    if row is not None and row.source != "external":
        return None
    if row is not None and row.external_name is None:  # made before these names were kept
        row.external_name = external_name
        return row
    if row is not None:
        name = f"{name[: MAX_GROUP_NAME - 9]}-{hashlib.sha256(external_name.encode()).hexdigest()[:8]}"
    row = GroupRow(name=name, source="external", external_name=external_name, created_by=actor)
    session.add(row)
    await session.flush()
    session.audit(actor, "group.create", None, row.id, name=name, source="external", external_name=external_name)
    return row


async def group_row(session: AsyncSession, name: str, *, lock: bool = False) -> GroupRow:
    """The row of a group by name. Raises NotFound."""
    query = select(GroupRow).where(GroupRow.name == spelt_group(name))
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound(kind="group", id=name)
    return row


def _counted() -> Select[GroupRow, int]:
    count = select(func.count()).select_from(GroupMemberRow).where(GroupMemberRow.group_id == GroupRow.id)
    return select(GroupRow, count.scalar_subquery())


def _record(row: GroupRow, members: int) -> Group:
    return Group(
        id=row.id,
        name=row.name,
        source="external" if row.source == "external" else "local",
        members=members,
        created_at=row.created_at,
        created_by=row.created_by,
    )
