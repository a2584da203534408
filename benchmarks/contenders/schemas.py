"""The user's schema, with a mail address that is checked and with one that is only text."""

from pydantic import BaseModel, ConfigDict, EmailStr


class UserWithEmail(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    username: str
    email: EmailStr
    age: int


class UserWithText(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    username: str
    email: str
    age: int


SCHEMAS: dict[str, type[BaseModel]] = {"EmailStr": UserWithEmail, "str": UserWithText}
