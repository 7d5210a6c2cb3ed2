"""Texts of the command line about users, groups, grants and passwords, in English and Chinese."""

from __future__ import annotations

PEOPLE: dict[str, tuple[str, str]] = {
    # --- help ---
    "help.user": ("Add, change and remove users (needs the role `admin`).", "添加、更改和删除用户（需角色 `admin`）。"),
    "help.user.add": (
        "Add a user; `user invite` makes the link with which a person chooses a password.",
        "添加用户；`user invite` 生成链接，供其设置密码。",
    ),
    "help.user.display_name": ("Name that people see.", "显示的姓名。"),
    "help.user.service": ("A service account: no password, only keys.", "服务账号：没有密码，只有密钥。"),
    "help.user.roles": ("Role in the platform (repeatable).", "平台角色（可重复）。"),
    "help.user.ask_password": (
        "Ask for a first password, which the user has to change.",
        "输入初始密码，用户登录后须更改。",
    ),
    "help.password_stdin": ("Read the password from standard input.", "从标准输入读取密码。"),
    "help.user.list": ("List users by name.", "按名称列出用户。"),
    "help.user.show": ("Show a user with its groups.", "查看用户及其所属的组。"),
    "help.user.disable": ("Disable a user: its sessions end, its keys stop.", "停用用户：其会话结束，密钥失效。"),
    "help.user.enable": ("Enable a user again, and unlock it.", "重新启用用户，并解除锁定。"),
    "help.user.role": (
        "Set a user's roles in the platform, in place of those before.",
        "设置用户的平台角色，替换原有角色。",
    ),
    "help.user.none": ("Take all roles in the platform away.", "取消全部平台角色。"),
    "help.user.password": (
        "Set the password of a user, who has to change it; without a name, change your own.",
        "设置用户的密码，用户登录后须更改；不带名称则更改自己的密码。",
    ),
    "help.user.invite": (
        "Make a link with which a user chooses a password; it works once, for a week.",
        "生成供用户设置密码的链接；只能使用一次，一周内有效。",
    ),
    "help.user.sign_out": ("End all sessions of a user.", "结束用户的全部会话。"),
    "help.user.remove": (
        "Remove a user with its sessions, keys and access; its name is not given again.",
        "删除用户及其会话、密钥和权限；名称不会再次分配。",
    ),
    "help.group": ("Groups of users (needs the role `admin`).", "用户组（需角色 `admin`）。"),
    "help.group.add": ("Add a group.", "添加组。"),
    "help.group.list": ("List groups by name.", "按名称列出组。"),
    "help.group.show": ("List the members of a group.", "列出组的成员。"),
    "help.group.remove": ("Remove a group with all its access.", "删除组及其全部权限。"),
    "help.group.join": ("Add a user to a group.", "将用户加入组。"),
    "help.group.leave": ("Take a user out of a group.", "将用户移出组。"),
    "help.grant": (
        "Roles of users and groups in a knowledge base (for its managers).",
        "用户和组在知识库中的角色（由其管理者设置）。",
    ),
    "help.grant.set": ("Give a user or a group a role in a knowledge base.", "授予用户或组在知识库中的角色。"),
    "help.grant.list": ("List who has which role in a knowledge base.", "列出各用户和组在知识库中的角色。"),
    "help.grant.remove": ("Take a role in a knowledge base away.", "取消在知识库中的角色。"),
    "help.grant.group": ("NAME is that of a group.", "名称为组的名称。"),
    "help.login.user": (
        "Sign in as this user, with a password that is asked for, instead of a key.",
        "以该用户身份登录，输入密码，而不使用密钥。",
    ),
    "help.key.name": ("What the key is for.", "密钥的用途。"),
    "help.key.kb": ("The key is for this knowledge base only (repeatable).", "密钥仅限该知识库（可重复）。"),
    "help.key.days": ("The key ends after so many days.", "密钥在这些天后失效。"),
    "help.key.api": (
        "Over the API: your own keys; those of all for administrators.",
        "通过接口：自己的密钥；管理员可见全部密钥。",
    ),
    # --- sign-in ---
    "login.password": ("Password of {user}", "{user} 的密码"),
    "login.user-or-key": (
        "Sign in with a key or with `--user`; `--password-stdin` belongs to `--user`.",
        "请用密钥或 `--user` 登录；`--password-stdin` 须与 `--user` 一起使用。",
    ),
    "login.wrong": (
        "{url} does not accept this user name and password, or the user is locked for some minutes.",
        "{url} 不接受该用户名和密码，或该用户已被暂时锁定。",
    ),
    "login.must-change": (
        "First choose another password: `holdfast user password`.",
        "请先更改密码：`holdfast user password`。",
    ),
    "login.expired": (
        "The sign-in {name} has ended; sign in again with `holdfast login --user`.",
        "登录 {name} 已失效；请用 `holdfast login --user` 重新登录。",
    ),
    "login.not-renewed": (
        "{url} did not renew the sign-in (HTTP {status}); try again.",
        "{url} 未能续期登录（HTTP {status}），请重试。",
    ),
    "logout.ended": ("Signed out of {url} ({name}).", "已退出 {url}（{name}）。"),
    "logout.not-ended": (
        "{url} could not be told; the session there ends by itself after at most 14 days.",
        "未能通知 {url}；该处的会话最迟在 14 天后自动结束。",
    ),
    # --- keys ---
    "key.own-only": (
        "`--kb`, `--days` and `--name` belong to a key of your own, which has no `--subject`.",
        "`--kb`、`--days` 和 `--name` 用于自己的密钥，不能与 `--subject` 一起使用。",
    ),
    # --- users ---
    "user.added": (
        "The user {name} is added; `holdfast user invite {name}` lets them choose a password.",
        "用户 {name} 已添加；可用 `holdfast user invite {name}` 邀请其设置密码。",
    ),
    "user.added_service": ("The service account {name} is added.", "服务账号 {name} 已添加。"),
    "user.added_password": (
        "The user {name} is added, and has to change the password after signing in.",
        "用户 {name} 已添加，登录后须更改密码。",
    ),
    "user.is_disabled": ("disabled", "已停用"),
    "user.disabled": ("The user {name} is disabled.", "用户 {name} 已停用。"),
    "user.enabled": ("The user {name} is enabled.", "用户 {name} 已启用。"),
    "user.has_roles": ("Roles of {name} in the platform: {roles}.", "{name} 的平台角色：{roles}。"),
    "user.has_no_role": ("{name} has no role in the platform.", "{name} 没有平台角色。"),
    "user.roles-or-none": ("Name at least one role, or give `--none`.", "请给出至少一个角色，或使用 `--none`。"),
    "user.invited": (
        "With this link, {name} chooses a password, once, until {until}:",
        "{name} 可用此链接设置密码，仅限一次，有效期至 {until}：",
    ),
    "user.signed_out": ("All sessions of {name} have ended.", "{name} 的全部会话已结束。"),
    "user.sure": (
        "Remove the user {name} with all keys and access? The name is not given again.",
        "确定删除用户 {name} 及其全部密钥和权限吗？该名称不会再次分配。",
    ),
    "user.removed": ("The user {name} is removed.", "用户 {name} 已删除。"),
    # --- passwords ---
    "password.new": ("New password of {name}", "{name} 的新密码"),
    "password.current": ("Present password of {name}", "{name} 的当前密码"),
    "password.again": ("The same again", "再次输入"),
    "password.no-terminal": (
        "There is no terminal to ask for the password on: give it with `--password-stdin`.",
        "当前没有可输入密码的终端：请用 `--password-stdin` 提供。",
    ),
    "password.of-nobody": (
        "You act with a key: name a user, or sign in with `holdfast login --user`.",
        "当前使用的是密钥：请指定用户，或用 `holdfast login --user` 登录。",
    ),
    "password.set": (
        "The password of {name} is set, and has to be changed at the next sign-in; all sessions of {name} have ended.",
        "{name} 的密码已设置，下次登录须更改；{name} 的全部会话已结束。",
    ),
    "password.changed": (
        "Your password is changed; your other sessions have ended.",
        "密码已更改；你的其他会话已结束。",
    ),
    # --- groups and grants ---
    "group.added": ("The group {name} is added.", "组 {name} 已添加。"),
    "group.sure": ("Remove the group {name} with all its access?", "确定删除组 {name} 及其全部权限吗？"),
    "group.removed": ("The group {name} is removed.", "组 {name} 已删除。"),
    "group.joined": ("{user} is a member of {name}.", "{user} 已加入 {name}。"),
    "group.left": ("{user} is no longer a member of {name}.", "{user} 已移出 {name}。"),
    "grant.is_set": ("{name} is {role} in {kb}.", "{name} 在 {kb} 中的角色为 {role}。"),
    "grant.removed": ("{name} has no role of its own in {kb} any more.", "{name} 在 {kb} 中不再有单独授予的角色。"),
}
