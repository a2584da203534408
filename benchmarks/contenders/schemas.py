"""The user's schema in variants: an address that is checked, one that is only text, one with code of the user's own."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, EmailStr, Field, field_validator


class UserWithText(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    username: str
    email: str
    age: int


class UserWithEmail(UserWithText):
    email: EmailStr


class UserWithValidator(UserWithText):
    @field_validator("username")
    @classmethod
    def without_blanks(cls, value: str) -> str:
        if not value:
            raise ValueError("a user has a name")
        return value.strip()


class UserWithWork(UserWithText):
    @field_validator("email")
    @classmethod
    def with_check_digit(cls, value: str) -> str:
        digit = 0
        for place, char in enumerate(value * 8):
            digit = (digit * 31 + place * ord(char)) % 97
        if digit > 96:  # never: what counts is the work
            raise ValueError("wrong check digit")
        return value


class WholeUser(UserWithText):
    """Has all columns: ZooPipe aborts on a Parquet file that has more columns than the schema."""

    age: Annotated[int, Field(ge=0, le=150)]
    city: str
    score: float
    note: str


SCHEMAS: dict[str, type[BaseModel]] = {
    "EmailStr": UserWithEmail,
    "str": UserWithText,
    "field_validator": UserWithValidator,
    "python": UserWithWork,
    "all columns": WholeUser,
}
