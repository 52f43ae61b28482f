package directory

import "parley/internal/rpc"

// Errors of signing in.
var (
	errPhoneInvalid     = rpc.Err(400, "PHONE_NUMBER_INVALID")
	errPhoneOccupied    = rpc.Err(400, "PHONE_NUMBER_OCCUPIED")
	errCodeEmpty        = rpc.Err(400, "PHONE_CODE_EMPTY")
	errCodeInvalid      = rpc.Err(400, "PHONE_CODE_INVALID")
	errCodeExpired      = rpc.Err(400, "PHONE_CODE_EXPIRED")
	errCodeHashEmpty    = rpc.Err(400, "PHONE_CODE_HASH_EMPTY")
	errFirstName        = rpc.Err(400, "FIRSTNAME_INVALID")
	errTokenInvalid     = rpc.Err(400, "ACCESS_TOKEN_INVALID")
	errHashInvalid      = rpc.Err(400, "HASH_INVALID")
	errPhoneNotOccupied = rpc.Err(400, "PHONE_NOT_OCCUPIED")
)

// Errors of users and names.
var (
	errUserID           = rpc.Err(400, "USER_ID_INVALID")
	errAboutLong        = rpc.Err(400, "ABOUT_TOO_LONG")
	errNameInvalid      = rpc.Err(400, "USERNAME_INVALID")
	errNameOccupied     = rpc.Err(400, "USERNAME_OCCUPIED")
	errNameNotModified  = rpc.Err(400, "USERNAME_NOT_MODIFIED")
	errNameNotOccupied  = rpc.Err(400, "USERNAME_NOT_OCCUPIED")
	errContactID        = rpc.Err(400, "CONTACT_ID_INVALID")
	errContactNameEmpty = rpc.Err(400, "CONTACT_NAME_EMPTY")
)

// Errors of chats and members.
var (
	errChatID           = rpc.Err(400, "CHAT_ID_INVALID")
	errChatNotModified  = rpc.Err(400, "CHAT_NOT_MODIFIED")
	errTitleEmpty       = rpc.Err(400, "CHAT_TITLE_EMPTY")
	errChatAboutLong    = rpc.Err(400, "CHAT_ABOUT_TOO_LONG")
	errAboutNotModified = rpc.Err(400, "CHAT_ABOUT_NOT_MODIFIED")
	errAdminRequired    = rpc.Err(400, "CHAT_ADMIN_REQUIRED")
	errChannelInvalid   = rpc.Err(400, "CHANNEL_INVALID")
	errChannelPrivate   = rpc.Err(400, "CHANNEL_PRIVATE")
	errFullPrivate      = rpc.Err(406, "CHANNEL_PRIVATE") // getFullChannel's own code
	errNotParticipant   = rpc.Err(400, "USER_NOT_PARTICIPANT")
	errParticipantID    = rpc.Err(400, "PARTICIPANT_ID_INVALID")
	errAlreadyIn        = rpc.Err(400, "USER_ALREADY_PARTICIPANT")
	errUserCreator      = rpc.Err(400, "USER_CREATOR")
	errUserKicked       = rpc.Err(400, "USER_KICKED")
	errUserBot          = rpc.Err(400, "USER_BOT")
	errUserAdmin        = rpc.Err(400, "USER_ADMIN_INVALID")
	errUsersTooMuch     = rpc.Err(400, "USERS_TOO_MUCH")
	errAdminsTooMuch    = rpc.Err(400, "ADMINS_TOO_MUCH")
	errRightForbidden   = rpc.Err(403, "RIGHT_FORBIDDEN")
	errRankInvalid      = rpc.Err(400, "ADMIN_RANK_INVALID")
	errHashEmpty        = rpc.Err(400, "INVITE_HASH_EMPTY")
	errInviteInvalid    = rpc.Err(400, "INVITE_HASH_INVALID")
	errInviteExpired    = rpc.Err(400, "INVITE_HASH_EXPIRED")
	errUsageInvalid     = rpc.Err(400, "USAGE_LIMIT_INVALID")
	errExpireInvalid    = rpc.Err(400, "EXPIRE_DATE_INVALID")
	errJoinAs           = rpc.Err(400, "JOIN_AS_PEER_INVALID")
)
